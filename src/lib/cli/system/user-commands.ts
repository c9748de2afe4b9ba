/** Runs commands of the user in a shell: the editor, and a command beside ours (`--exec`). */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { childEnvironment } from '../../child-environment.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { writeAboveStatusLine } from '../output/status-line.ts';

/** `VISUAL`, else `EDITOR`, else vi; run by a shell, since both may carry arguments. @throws Failure `usage` when it fails */
export async function editText(context: Context, name: string, text: string): Promise<string> {
  const editor = context.env['VISUAL'] || context.env['EDITOR'] || 'vi';
  const folder = await mkdtemp(join(context.temporaryFolder, 'credicorp-edit-'));
  try {
    const file = join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    const status = await editorStatus(context, editor, file);
    if (status !== 0) {
      throw usage(`the editor exited with status ${status}; nothing was sent`, {
        code: 'editor_failed',
        next: 'set EDITOR to the editor you use',
      });
    }
    return await readFile(file, 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function editorStatus(context: Context, editor: string, file: string): Promise<number> {
  // What the editor writes belongs to the terminal, not to the result: stderr.
  const [shell, ...words] =
    context.platform === 'win32'
      ? ['cmd.exe', '/d', '/s', '/c', `"${editor} "${file}""`]
      : ['/bin/sh', '-c', `${editor} "$1"`, 'credicorp', file];
  const child = spawn(shell, words, {
    stdio: ['inherit', 2, 2],
    env: childEnvironment(context.env),
    cwd: context.cwd,
    signal: context.signal,
    windowsVerbatimArguments: true,
  });
  return new Promise((resolve) => {
    child.once('exit', (status) => resolve(status ?? 1));
    child.once('error', () => resolve(127));
  });
}

export interface SideCommand {
  /** Resolves with its status as a shell would give it: 128 and the signal's number where a signal ended it. */
  ended: Promise<number>;
  /** Asks it to end, and insists after 3 s. */
  stop(): Promise<void>;
}

/** Its output goes to stderr: stdout is ours, and is data. @param extra variables it gets besides those any child gets */
export function startSideCommand(
  context: Context,
  command: string,
  extra: Readonly<Record<string, string>>,
): SideCommand {
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment(context.env, extra),
    cwd: context.cwd,
    // A group of its own, so that what the shell started ends with it.
    detached: context.platform !== 'win32',
  });
  // No faster than stderr is read: a stopped terminal must not fill our memory.
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      stream.pause();
      writeAboveStatusLine(context.stderr, chunk, () => stream.resume());
    });
  const send = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined) context.signalProcess(context.platform === 'win32' ? child.pid : -child.pid, signal);
  };
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (status, signal) => {
      // What the shell left running (an app in the background) ends with it; its last output is waited for.
      send('SIGTERM');
      const insist = setTimeout(() => send('SIGKILL'), STOP_TIMEOUT_MS);
      child.once('close', () => {
        clearTimeout(insist);
        resolve(status ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0));
      });
    });
  });
  return {
    ended,
    async stop() {
      send('SIGTERM');
      const insist = setTimeout(() => send('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(insist);
    },
  };
}

const STOP_TIMEOUT_MS = 3000;
const SIGNAL_NUMBERS: Record<string, number | undefined> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
  SIGSEGV: 11,
  SIGABRT: 6,
};
