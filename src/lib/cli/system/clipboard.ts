/** Text into the clipboard: by a program of this system, else through the terminal (OSC 52, which works over ssh too). */
import { spawn } from 'node:child_process';
import { childEnvironment } from '../../child-environment.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';

/** How the text got there. `terminal`: asked of the terminal, which may or may not allow it. */
export type CopiedBy = 'program' | 'terminal';

/** A clipboard program that does not end by then is killed. */
const TIMEOUT_MS = 3000;
/** About what terminals take, in characters of base64. */
const MAX_OSC = 74_000;

type Program = readonly [command: string, ...args: string[]];

/** @throws Failure `usage` (`no_clipboard`) where there is neither */
export async function copyToClipboard(context: Context, text: string): Promise<CopiedBy> {
  // Over ssh a program would fill the clipboard of the wrong machine.
  const programs = context.env['SSH_CONNECTION'] ? [] : programsFor(context);
  for (const program of programs) if (await feed(context, program, text)) return 'program';
  const encoded = Buffer.from(text).toString('base64');
  if (context.stderr.isTTY === true && context.env['TERM'] !== 'dumb' && encoded.length <= MAX_OSC) {
    context.stderr.write(`\u001b]52;c;${encoded}\u0007`);
    return 'terminal';
  }
  const missing = programs.map(([command]) => command).join(', ');
  throw usage(`there is no clipboard here${missing === '' ? '' : ` (looked for ${missing})`}`, {
    code: 'no_clipboard',
    param: '--copy',
    next: 'leave --copy out to print it, or write it to a file with --output FILE',
  });
}

function programsFor({ platform, env }: Context): Program[] {
  if (platform === 'darwin') return [['pbcopy']];
  if (platform === 'win32') return [['clip.exe']];
  const wayland: Program[] = env['WAYLAND_DISPLAY'] ? [['wl-copy']] : [];
  const x11: Program[] = env['DISPLAY']
    ? [
        ['xclip', '-selection', 'clipboard'],
        ['xsel', '--clipboard', '--input'],
      ]
    : [];
  const windows: Program[] = env['WSL_DISTRO_NAME'] ? [['clip.exe']] : [];
  return [...wayland, ...x11, ...windows];
}

/** @returns whether the program took it */
function feed(context: Context, [command, ...args]: Program, text: string): Promise<boolean> {
  // X11 programs stay behind to serve the text: they must not hold our streams.
  const child = spawn(command, args, {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: childEnvironment(context.env),
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (status) => resolve(status === 0));
    child.stdin.once('error', () => undefined);
    child.stdin.end(text);
  });
}
