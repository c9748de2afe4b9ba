/** What is sent again, and where to. */
import { parseJson, writeJson } from '../../contract/json.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { deliver, type Delivered, newDeliveryId } from './delivering.ts';
import { editText } from '../system/user-commands.ts';
import { eventOf, type Found } from './inbox.ts';
import type { Session } from '../session.ts';

/** Where it went before. @throws Failure `usage` when it went nowhere */
export function targetsOf({ entry }: Found): URL[] {
  const targets = [...new Set(entry.forwards.map(({ target }) => target))].map((target) => new URL(target));
  if (targets.length > 0) return targets;
  throw usage(`delivery ${entry.inbox_id} was forwarded nowhere`, {
    param: '--forward',
    next: 'say where to: --forward localhost:3000/hook',
  });
}

/** Posts a stored delivery once more, under a new delivery id and signed freshly. @throws Failure `interrupted` only */
export async function replayed(
  context: Context,
  session: Session,
  found: Found,
  how: { target: URL; body: Uint8Array; secrets: readonly string[]; timeoutMs: number },
): Promise<Delivered> {
  const { resignedMessage } = await import('../../webhooks/forward/signed-delivery.ts');
  const { target, body, secrets, timeoutMs } = how;
  const deliveryId = newDeliveryId(context);
  const t = Math.floor(context.now() / 1000);
  const message = resignedMessage(found, { body, secrets, t, deliveryId });
  return deliver(context, session, { target, message, deliveryId, timeoutMs });
}

/** The event as the user left it: indented for the editor, compact again on the wire, numbers untouched. @throws Failure `usage` */
export async function editedBody(context: Context, { entry, body }: Found): Promise<Buffer> {
  const event = eventOf(body);
  const before = event === null ? Buffer.from(body).toString('utf8') : `${writeJson(event, 2)}\n`;
  const text = await editText(
    context,
    `${entry.event_id ?? `delivery-${entry.inbox_id}`}.json`.replaceAll(/[^\w.-]/g, '_'),
    before,
  );
  if (event === null) return Buffer.from(text);
  try {
    return Buffer.from(writeJson(parseJson(text)));
  } catch (error) {
    throw usage('what came out of the editor is not JSON; nothing was sent', { code: 'not_json' }, error);
  }
}
