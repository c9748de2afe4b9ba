/** The hidden command that shells call on Tab. Whatever goes wrong, it says nothing: a shell would show it in the middle of a line. */
import { complete, type Candidate } from './completion.ts';
import type { Context } from '../context.ts';

/** @param asked the shell's name, then the words of the line */
export async function completeLine([shell = '', ...words]: readonly string[], context: Context): Promise<string> {
  const last = words.at(-1) ?? '';
  const typed = shell === 'powershell' && last.startsWith('=') ? [...words.slice(0, -1), last.slice(1)] : words;
  try {
    const found = await complete(typed.length === 0 ? [''] : typed, context);
    return found.map((candidate) => `${lineOf(shell, candidate)}\n`).join('');
  } catch {
    return '';
  }
}

function lineOf(shell: string, { value, about }: Candidate): string {
  // bash takes words apart at the `=` and replaces what stands after it.
  if (shell === 'bash') return value.replace(/^--[^=]+=/, '');
  return about === undefined ? value : `${value}\t${about}`;
}
