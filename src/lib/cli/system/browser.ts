/** Opening an address for a person: by a program of this system, never through a shell. */
import { spawn } from 'node:child_process';
import { childEnvironment } from '../../child-environment.ts';
import { isLoopback } from '../../contract/environments.ts';
import { Failure } from '../../failure.ts';
import type { Context } from '../context.ts';
import { note } from '../output/write.ts';
import { plainLine } from '../output/terminal-text.ts';

/** Opens it on a terminal; elsewhere says where it is. Never fails the command. */
export async function openPage(context: Context, url: string | null | undefined): Promise<void> {
  if (!url) return note(context, 'note: there is no page to open');
  try {
    if (await openInBrowser(context, url)) note(context, `opened ${plainLine(url)}`);
    else if (context.stdout.isTTY !== true) note(context, `note: no terminal, so nothing is opened: ${plainLine(url)}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    note(context, `note: not opened: ${error.message}`);
  }
}

/** A program that still runs after this is the browser itself. */
const START_TIMEOUT_MS = 2000;

/**
 * Opens it where stdout is a terminal; says so when that did not work. @returns whether a program took it
 * @throws Failure `unavailable` (`bad_address`) for what is neither https nor loopback http
 */
export async function openInBrowser(context: Context, address: string): Promise<boolean> {
  const url = safeAddress(address);
  if (context.stdout.isTTY !== true) return false;
  for (const [command, ...args] of programsFor(context))
    if (await launches(context, command, [...args, url])) return true;
  note(context, 'note: no browser could be started; open the address yourself');
  return false;
}

/** As the URL parser spells it: no blank, no quote, nothing that begins with a dash. */
function safeAddress(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : null;
  const plainHere = url?.protocol === 'http:' && isLoopback(url.hostname);
  if (url && (url.protocol === 'https:' || plainHere) && url.username === '' && url.password === '') return url.href;
  throw new Failure('unavailable', 'the address is neither https nor on this machine', {
    code: 'bad_address',
    next: 'it was not opened; print it with --json',
  });
}

function programsFor({ platform, env }: Context): (readonly [command: string, ...args: string[]])[] {
  if (platform === 'darwin') return [['open']];
  // `start` is a word of the shell; this is the program behind it.
  if (platform === 'win32') return [['rundll32', 'url.dll,FileProtocolHandler']];
  return env['WSL_DISTRO_NAME'] ? [['wslview'], ['xdg-open']] : [['xdg-open']];
}

function launches(context: Context, command: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(command, args, { stdio: 'ignore', detached: true, env: childEnvironment(context.env) });
  return new Promise((resolve) => {
    const running = setTimeout(() => done(true), START_TIMEOUT_MS);
    const done = (taken: boolean): void => {
      clearTimeout(running);
      child.unref();
      resolve(taken);
    };
    child.once('error', () => done(false));
    child.once('exit', (status) => done(status === 0));
  });
}
