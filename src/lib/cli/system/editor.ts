/** Text in the user's own editor. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';

/** `VISUAL`, else `EDITOR`, else vi; run by a shell, since both may carry arguments. @throws Failure `usage` when it fails */
export async function edited(context: Context, name: string, text: string): Promise<string> {
  const editor = context.env['VISUAL'] || context.env['EDITOR'] || 'vi';
  const folder = await mkdtemp(join(tmpdir(), 'credicorp-edit-'));
  try {
    const file = join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    const status = await ended(context, editor, file);
    if (status !== 0) {
      throw usage(`the editor ended with ${status}; nothing was sent`, {
        code: 'editor_failed',
        next: 'set EDITOR to the editor you use',
      });
    }
    return await readFile(file, 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function ended(context: Context, editor: string, file: string): Promise<number> {
  // What the editor writes belongs to the terminal, not to the result: stderr.
  const [shell, ...words] =
    context.platform === 'win32'
      ? ['cmd.exe', '/d', '/s', '/c', `"${editor} "${file}""`]
      : ['/bin/sh', '-c', `${editor} "$1"`, 'credicorp', file];
  const child = spawn(shell, words, {
    stdio: ['inherit', 2, 2],
    env: context.env as NodeJS.ProcessEnv,
    cwd: context.cwd,
    signal: context.signal,
    windowsVerbatimArguments: true,
  });
  return new Promise((resolve) => {
    child.once('exit', (status) => resolve(status ?? 1));
    child.once('error', () => resolve(127));
  });
}
