/** *Send again*, of the page and of the key `r` in the listener's terminal: what `events replay` does, with the listener's own settings. */
import { liveSecrets } from '../../contract/signature.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { type Delivered, replayOnce } from './deliver-once.ts';
import type { ListenerSetup } from './listener-options.ts';
import { findDelivery } from './local-inbox.ts';
import { noSecret } from './signing.ts';

/** Posts a stored delivery once more: the same event and bytes, a new delivery id, signed freshly. @throws Failure when it is not there, or there is no secret */
export function sendAgain(
  context: Context,
  session: Session,
  setup: ListenerSetup,
  { inboxId, target }: { inboxId: number; target: URL },
): Promise<Delivered> {
  const { store, scope, timeoutMs = 10_000 } = setup.options;
  const found = findDelivery(store, scope, String(inboxId));
  const secrets = secretsOf(setup, context.now());
  return replayOnce(context, session, found, { target, body: found.body, secrets, timeoutMs });
}

/** What signs a delivery that is sent again: what signs the others. @throws Failure `usage` when there is none yet */
function secretsOf({ signing, secrets }: ListenerSetup, now: number): string[] {
  if (signing !== null) return liveSecrets(signing, now);
  if (secrets.own === null) throw noSecret();
  return [secrets.own];
}
