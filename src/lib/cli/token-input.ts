/** Which token a command is about: one from stdin, else the session's own. */
import type { Context } from './context.ts';
import type { Session } from './session.ts';
import { readSecretFromStdin } from './stdin.ts';

export async function tokenInQuestion(context: Context, session: Session, fromStdin: boolean): Promise<string> {
  if (!fromStdin) return session.token({ refused: null });
  const token = (await readSecretFromStdin(context)).trim();
  session.hide(token);
  return token;
}
