/**
 * Starts the keychain helper, ahead of its request where a command is likely to have one: a Node process takes about as long to start
 * as this program needs to find out what to ask. Until then the helper only loads its library; it asks the keychain nothing.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export type Helper = ChildProcessByStdio<Writable, Readable, null>;
type Environ = Readonly<Record<string, string | undefined>>;

/** It waits for its request and keeps nobody alive; whoever started it may forget it, and it ends with its starter. */
export function startHelper([program, ...args]: readonly [string, ...string[]], env: Environ): Helper {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: childEnvironment(env),
    windowsHide: true,
  });
  child.on('error', () => undefined).unref();
  for (const pipe of [child.stdin, child.stdout]) {
    if (pipe instanceof Socket) pipe.unref();
    pipe.on('error', () => undefined);
  }
  child.stdout.setEncoding('utf8');
  return child;
}

/** Older than this, a helper nobody asked is near its own end (`keychain-helper`), and a fresh one is the safer choice. */
const OLDEST_MS = 10_000;
/** So long a helper waits for another request. */
const IDLE_MS = 5000;

/** Gives the helper that was started ahead to the first who asks, null to everybody else, and when it did not stay alive. */
export function lendOnce(helper: Helper | null, ticks: () => number): () => Helper | null {
  const until = ticks() + OLDEST_MS;
  let left = helper;
  return () => {
    const lent = left;
    left = null;
    if (lent === null || !lives(lent)) return null;
    if (ticks() < until) return lent;
    lent.kill('SIGKILL');
    return null;
  };
}

/** Where a helper that has answered waits for the next request of the same command: a mint reads and then writes. */
export interface HelperShelf {
  take(): Helper | null;
  put(helper: Helper): void;
}

/** @param first the helper that was started ahead */
export function helperShelf(first: () => Helper | null = () => null): HelperShelf {
  let idle: Helper | null = null;
  let timer: NodeJS.Timeout | undefined;
  return {
    take() {
      clearTimeout(timer);
      const kept = idle;
      idle = null;
      return kept !== null && lives(kept) ? kept : first();
    },
    put(helper) {
      idle?.kill('SIGKILL');
      idle = helper;
      clearTimeout(timer);
      timer = setTimeout(() => helper.kill('SIGKILL'), IDLE_MS).unref();
    },
  };
}

function lives({ pid, exitCode, signalCode }: Helper): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/** First words of the commands that show a credential to the API. */
const ASKING = new Set(['accounts', 'api', 'apps', 'decisions', 'identity', 'payments', 'token', 'whoami']);
/** Flags that send nothing. */
const IDLE = new Set(['--help', '-h', '--dry-run']);

/**
 * A guess at who will ask the keychain, from what costs nothing to read: the command's first word, the environment and the profile's
 * line in `config.json`. Who we are is decided elsewhere (`credentials`); a wrong guess costs time and nothing else.
 */
export function willAsk(argv: readonly string[], env: Environ, folder: string): boolean {
  // Flags may stand before the command, with or without a value.
  const asks = argv[0]?.startsWith('-') ? argv.some((word) => ASKING.has(word)) : ASKING.has(argv[0] ?? '');
  if (!asks || argv.some((word) => IDLE.has(word))) return false;
  if (argv.includes('whoami') && !argv.includes('--check')) return false;
  const names = ['CC_CLIENT_SECRET', 'CC_SECRET_KEY', 'CREDICORP_CLIENT_SECRET', 'CREDICORP_SECRET_KEY'];
  if (names.some((name) => Boolean(env[name]))) return false;
  if ((env['CREDICORP_KEYCHAIN'] || 'os') !== 'os') return false;
  try {
    const { active, profiles } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as {
      active?: unknown;
      profiles?: { name?: unknown; store?: unknown }[];
    };
    const name = flagged(argv) ?? (env['CREDICORP_PROFILE'] || active);
    return profiles?.some((profile) => profile.name === name && profile.store === 'os') === true;
  } catch {
    return false;
  }
}

function flagged(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((word) => word === '--profile' || word.startsWith('--profile='));
  return at < 0 ? undefined : (/^--profile=(.*)$/.exec(argv[at] ?? '')?.[1] ?? argv[at + 1]);
}

/** Credentials and Node's own options are not passed on. */
function childEnvironment(env: Environ): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !/^(?:CC_|CREDICORP_|NODE_)/.test(name)) passed[name] = value;
  }
  return passed;
}
