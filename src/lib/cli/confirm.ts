/** On `live` a write needs a yes: a question on a terminal, `--yes` elsewhere (command-line contract §5). */
import { usage } from '../failure.ts';
import type { Context } from './context.ts';
import type { Session } from './session.ts';

/** @param summary what will happen: "create an application for 16093826". @throws Failure `usage` without a yes */
export async function confirmLive(
  context: Context,
  session: Session,
  asked: { summary: string; yes: boolean; mayAsk: boolean },
): Promise<void> {
  if (session.identity.environment.value !== 'live' || asked.yes) return;
  if (!asked.mayAsk) {
    throw usage(`this would ${asked.summary} on live`, {
      code: 'live_needs_yes',
      next: 'add --yes if that is what you want',
    });
  }
  const { askYes } = await import('./prompt.ts');
  if (!(await askYes(context, `LIVE: ${asked.summary}?`)))
    throw usage('not confirmed; nothing was sent', { code: 'not_confirmed' });
}
