/**
 * A real terminal: the program runs on a pseudo-terminal that util-linux's `script` opens, so that raw mode, echo, colours and Ctrl-C are
 * the kernel's and not ours.
 */
import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { join } from 'node:path';
import { root, running } from './spawn.ts';

export interface Terminal {
  /** Waits until the screen has shown the text since the last wait. */
  shows(text: string | RegExp): Promise<void>;
  /** Types, as keys: `\r` is Enter, `\x03` Ctrl-C. */
  type(keys: string): void;
  /** Everything that was shown, escape sequences and all. */
  readonly raw: string;
  /** What was shown as a person would read it. */
  readonly text: string;
  /** Waits for the end. @returns the exit status */
  ended(): Promise<number>;
}

/** Runs the built program with these words on a terminal of its own. Killed after 30 s. */
export function openTerminal(args: readonly string[], env: Record<string, string>, columns?: number): Terminal {
  return onTerminal([process.execPath, join(root, 'bin', 'run.js'), ...args], env, columns);
}

/** Runs any program on a terminal of its own. Killed after 30 s. */
export function onTerminal(words: readonly string[], env: Record<string, string>, columns = 160): Terminal {
  const line = words.map(quoted).join(' ');
  const child = spawn(
    'script',
    ['--quiet', '--return', '--flush', '--command', `stty cols ${columns}; exec ${line}`, '/dev/null'],
    {
      env: { ...env, TERM: 'xterm-256color', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  running.add(child);
  let raw = '';
  let read = 0;
  let over = false;
  let wake = (): void => undefined;
  const more = (chunk: Buffer): void => {
    raw += chunk.toString();
    wake();
  };
  child.stdout.on('data', more);
  child.stderr.on('data', more);
  child.stdin.on('error', () => undefined);
  const limit = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const end = new Promise<number>((resolve) =>
    child.on('close', (status) => {
      clearTimeout(limit);
      running.delete(child);
      over = true;
      wake();
      resolve(status ?? 137);
    }),
  );
  return {
    async shows(text) {
      for (;;) {
        const seen = plain(raw.slice(read));
        const found = typeof text === 'string' ? seen.includes(text) : text.test(seen);
        if (found) break;
        if (over) throw new Error(`ended without showing ${String(text)}: ${plain(raw)}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
      read = raw.length;
    },
    type: (keys) => void child.stdin.write(keys),
    get raw() {
      return raw;
    },
    get text() {
      return plain(raw);
    },
    ended: () => end,
  };
}

/** What was taken off its line again is not there to be read. */
function plain(raw: string): string {
  return stripVTControlCharacters(raw.split('\n').map(asItStands).join('\n')).replaceAll('\r', '');
}

function asItStands(line: string): string {
  return line.slice(line.lastIndexOf('\r\u001b[K') + 1);
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
