/** Fills in a support ticket: what the journal has of the request, over it what flags say, and on a terminal what is asked for. */
import { problemPage } from '../../contract/problem-page.ts';
import { redactText } from '../../contract/secrets.ts';
import { isoSeconds, parseInstant } from '../../contract/time.ts';
import { usage } from '../../failure.ts';
import { prefixOf, SEVERITIES, type Severity, type Ticket } from '../../journal/support-ticket.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';

export interface TicketFlags {
  expected?: string | undefined;
  actual?: string | undefined;
  severity?: string | undefined;
  env?: 'live' | 'sandbox' | 'local' | undefined;
  endpoint?: string | undefined;
  /** Milliseconds since the epoch. */
  time?: number | undefined;
  'key-prefix'?: string | undefined;
  'idempotency-key'?: string | undefined;
}

/** What to write for a key prefix. */
export const KEY_PREFIX_HINT = 'write sk_test_, pk_test_, sk_live_, pk_live_, cid_sbx_ or cid_live_';

/** True for `METHOD /path`, else what to write. */
export function checkEndpoint(text: string): true | string {
  return (
    /^(?:GET|POST|PUT|PATCH|DELETE|HEAD) \/[^\s]{0,2000}$/.test(text) || 'for example: POST /partner/v1/applications'
  );
}

/** Flags win over the journal. */
export function withFlags(ticket: Ticket, flags: TicketFlags): Ticket {
  const severity = Number(flags.severity);
  return {
    ...ticket,
    environment: flags.env ?? ticket.environment,
    endpoint: flags.endpoint ?? ticket.endpoint,
    at: flags.time ?? ticket.at,
    keyPrefix: flags['key-prefix'] ?? ticket.keyPrefix,
    idempotencyKey: flags['idempotency-key'] ?? ticket.idempotencyKey,
    // People paste more than they mean to.
    expected: flags.expected === undefined ? ticket.expected : redactText(flags.expected),
    actual: flags.actual === undefined ? ticket.actual : redactText(flags.actual),
    severity: severity === 1 || severity === 2 || severity === 3 ? severity : ticket.severity,
  };
}

/** Adds the prefix of the client id signed in, since a token has none; only where the call went to the same environment. */
export function withPrefix(ticket: Ticket, session: Session): Ticket {
  if (ticket.keyPrefix !== null) return ticket;
  try {
    const { environment, clientId } = session.identity;
    return environment.value === ticket.environment
      ? { ...ticket, keyPrefix: prefixOf(clientId?.value ?? '') }
      : ticket;
  } catch {
    return ticket;
  }
}

/** Asks on a terminal for what is missing. @throws Failure `usage` elsewhere, naming the flag of what support must have */
export async function completeTicket(context: Context, ticket: Ticket, mayAsk: boolean): Promise<Ticket> {
  if (!mayAsk) {
    const missing = ticket.environment === null ? '--env' : ticket.endpoint === null ? '--endpoint' : null;
    if (missing === null) return { ...ticket, severity: ticket.severity ?? severityOf(ticket) };
    throw usage(
      `${ticket.requestId} is not in the log of this machine, and support needs its environment and endpoint`,
      {
        code: 'not_in_log',
        param: missing,
        next: `add them: credicorp support report ${ticket.requestId} --env sandbox --endpoint 'POST /partner/v1/applications'`,
      },
    );
  }
  return withFlags(ticket, await askMissingFields(context, ticket));
}

/** Lines for people: what to check before sending, and how soon support answers. */
export function adviceLines(tickets: readonly Ticket[]): string[] {
  const codes = new Set(
    tickets.flatMap(({ errorCode }) => (errorCode !== null && problemPage(errorCode) ? [errorCode] : [])),
  );
  const places = new Set(tickets.map(({ environment }) => environment));
  return [
    'check first: credicorp status (during an incident no ticket is needed)',
    ...[...codes].map((code) => `check first: credicorp errors explain ${code}`),
    ...(places.has('live')
      ? ['check first: does it happen in the sandbox too? its request id tells support more']
      : []),
    ...(places.has('local')
      ? ['note: the embedded sandbox is on this machine only; support cannot see calls to it']
      : []),
    ...severities().map(([, line]) => line),
  ];
}

/** Outside live everything is SEV-3. */
function severityOf({ environment }: Ticket): Severity | null {
  return environment === 'live' ? null : 3;
}

/** The ticket for `--json`. */
export function ticketDocument(ticket: Ticket): Record<string, unknown> {
  return {
    request_id: ticket.requestId,
    severity: ticket.severity === null ? null : `SEV-${ticket.severity}`,
    environment: ticket.environment,
    key_prefix: ticket.keyPrefix,
    endpoint: ticket.endpoint,
    time: ticket.at === null ? null : isoSeconds(ticket.at),
    expected: ticket.expected,
    actual: ticket.actual,
    idempotency_key: ticket.idempotencyKey,
    error_code: ticket.errorCode,
    curl: ticket.curl,
  };
}

const OPTIONAL = '(Enter to skip)';

/** Asks for what the ticket lacks. Environment and endpoint are required; Enter skips the others. */
async function askMissingFields(context: Context, ticket: Ticket): Promise<TicketFlags> {
  const { askChoice, askText } = await import('../ask/prompt.ts');
  const { requestId } = ticket;
  const optional = async (known: unknown, question: string, check: (text: string) => true | string = () => true) => {
    if (known !== null) return undefined;
    const typed = await askText(context, question, { check: (text) => text.trim() === '' || check(text.trim()) });
    return typed.trim() === '' ? undefined : typed.trim();
  };
  const env =
    ticket.environment === null
      ? await askChoice(context, `Environment of ${requestId}`, TICKET_ENVIRONMENTS)
      : undefined;
  const prefix = await optional(
    ticket.keyPrefix,
    `Key prefix, such as sk_test_ ${OPTIONAL}`,
    (text) => prefixOf(text) !== null || KEY_PREFIX_HINT,
  );
  const endpoint =
    ticket.endpoint === null ? await askText(context, 'Method and path', { check: checkEndpoint }) : undefined;
  const instant = (text: string): number | null => parseInstant(text, context.now());
  const time = await optional(
    ticket.at,
    `Time of the call ${OPTIONAL}`,
    (text) => instant(text) !== null || 'write 2026-06-29T10:00:00Z, or 10m for ten minutes ago',
  );
  const isWrite = !/^(?:GET|HEAD) /.test(ticket.endpoint ?? endpoint ?? '');
  return {
    env,
    endpoint,
    'key-prefix': prefix === undefined ? undefined : (prefixOf(prefix) ?? undefined),
    time: time === undefined ? undefined : (instant(time) ?? undefined),
    actual: await optional(ticket.actual, `Actual result: status and error.code ${OPTIONAL}`),
    expected: await optional(ticket.expected, `Expected result, in one line ${OPTIONAL}`),
    'idempotency-key': isWrite ? await optional(ticket.idempotencyKey, `Idempotency-Key ${OPTIONAL}`) : undefined,
    severity: ticket.severity === null ? await askChoice(context, 'Severity', severityChoices()) : undefined,
  };
}

const TICKET_ENVIRONMENTS = [
  { value: 'sandbox', name: 'sandbox' },
  { value: 'live', name: 'live' },
] as const;

/** The mildest first: Enter alone must not alert anybody. */
function severityChoices(): { value: string; name: string }[] {
  return severities()
    .toReversed()
    .map(([value, name]) => ({ value: String(value), name }));
}

/** One line for each severity, the mildest last. */
function severities(): [Severity, string][] {
  return ([1, 2, 3] as const).map((severity) => {
    const { means, answer } = SEVERITIES[severity];
    return [severity, `SEV-${severity}: ${means}; first answer ${answer}`];
  });
}
