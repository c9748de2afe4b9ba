/** The page that a new object is for, once the object is there: whatever becomes of the page, the object is printed. */
import { Failure } from '../../failure.ts';
import { openInBrowser } from './browser.ts';
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
