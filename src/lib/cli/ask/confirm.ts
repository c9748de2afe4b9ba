/** On `live` a write needs a yes: a question on a terminal, `--yes` elsewhere (command-line.md#profiles-credentials-and-precedence). */
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';

interface Asked {
  /** What will happen: "create an application for 16093826". */
  summary: string;
  yes: boolean;
  mayAsk: boolean;
  /** What will be sent; shown before the question. */
  body?: unknown;
  /** Members of the body known to be pence. */
  pence?: readonly string[];
}

/** @throws Failure `usage` without a yes */
export async function confirmLive(context: Context, session: Session, asked: Asked): Promise<void> {
  if (session.identity.environment.value !== 'live' || asked.yes) return;
  if (!asked.mayAsk) {
    throw usage(`this would ${asked.summary} on live`, {
      code: 'live_needs_yes',
      next: 'add --yes if that is what you want',
    });
  }
  const [{ askYes }, { humanFields }] = await Promise.all([import('./prompt.ts'), import('../output/format.ts')]);
  if (asked.body !== undefined) note(context, humanFields(asked.body, String, asked.pence).trimEnd());
  if (!(await askYes(context, `LIVE: ${asked.summary}?`)))
    throw usage('not confirmed; nothing was sent', { code: 'not_confirmed' });
}
