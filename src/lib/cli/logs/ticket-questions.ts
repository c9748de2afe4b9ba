/** What a ticket lacks, asked for on a terminal. Support must have the first two; Enter leaves out the others. */
import { parseInstant } from '../../contract/time.ts';
import { prefixOf, type Ticket } from '../../journal/support-ticket.ts';
import type { Context } from '../context.ts';
import { askChoice, askText } from '../ask/prompt.ts';
import { isEndpoint, KEY_PREFIX, severities, type TicketFlags } from './ticket-words.ts';

const OPTIONAL = '(Enter leaves it out)';

export async function answers(context: Context, ticket: Ticket): Promise<TicketFlags> {
  const { requestId } = ticket;
  const optional = async (known: unknown, question: string, check: (text: string) => true | string = () => true) => {
    if (known !== null) return undefined;
    const said = await askText(context, question, { check: (text) => text.trim() === '' || check(text.trim()) });
    return said.trim() === '' ? undefined : said.trim();
  };
  const env =
    ticket.environment === null ? await askChoice(context, `Environment of ${requestId}`, ENVIRONMENTS) : undefined;
  const prefix = await optional(
    ticket.keyPrefix,
    `Prefix of the key, such as sk_test_ ${OPTIONAL}`,
    (text) => prefixOf(text) !== null || KEY_PREFIX,
  );
  const endpoint =
    ticket.endpoint === null ? await askText(context, 'Method and path', { check: isEndpoint }) : undefined;
  const instant = (text: string): number | null => parseInstant(text, context.now());
  const time = await optional(
    ticket.at,
    `When it was ${OPTIONAL}`,
    (text) => instant(text) !== null || 'write 2026-06-29T10:00:00Z, or 10m for ten minutes ago',
  );
  const writes = !/^(?:GET|HEAD) /.test(ticket.endpoint ?? endpoint ?? '');
  return {
    env,
    endpoint,
    'key-prefix': prefix === undefined ? undefined : (prefixOf(prefix) ?? undefined),
    time: time === undefined ? undefined : (instant(time) ?? undefined),
    actual: await optional(ticket.actual, `What came: status and error.code ${OPTIONAL}`),
    expected: await optional(ticket.expected, `What you expected, in one line ${OPTIONAL}`),
    'idempotency-key': writes ? await optional(ticket.idempotencyKey, `Idempotency-Key ${OPTIONAL}`) : undefined,
    severity: ticket.severity === null ? await askChoice(context, 'How bad is it', levels()) : undefined,
  };
}

const ENVIRONMENTS = [
  { value: 'sandbox', name: 'sandbox' },
  { value: 'live', name: 'live' },
] as const;

/** The mildest first: Enter alone must not wake anybody. */
function levels(): { value: string; name: string }[] {
  return severities()
    .toReversed()
    .map(([value, name]) => ({ value: String(value), name }));
}
