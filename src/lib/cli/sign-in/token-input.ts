/** Which token a command is about: one from stdin, else the session's own. */
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { readSecretFromStdin } from '../stdin.ts';

export async function tokenInQuestion(context: Context, session: Session, fromStdin: boolean): Promise<string> {
  if (!fromStdin && session.identity.mode === 'secret_key') {
    throw usage('there is no token: the secret key is the bearer itself', {
      code: 'no_tokens',
      next: 'prove it with credicorp whoami --check, or pipe a token in with --token-stdin',
    });
  }
  if (!fromStdin) return session.token({ refused: null });
  const token = (await readSecretFromStdin(context)).trim();
  session.hide(token);
  return token;
}
