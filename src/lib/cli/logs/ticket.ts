/** From a request id to a ticket: what the journal has, what flags say, and on a terminal what is asked for. */
import { problemPage } from '../../contract/problem-page.ts';
import { redactText } from '../../contract/secrets.ts';
import { isoSeconds } from '../../contract/time.ts';
import { usage } from '../../failure.ts';
import { prefixOf, type Severity, type Ticket } from '../../journal/support-ticket.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { severities, type TicketFlags } from './ticket-words.ts';

/** What was said on the command line counts before what was written down. */
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

/** A token has no prefix; the client id it was minted for has one. Nobody signed in, or elsewhere: none. */
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

/** Asks for what is missing on a terminal. @throws Failure `usage` off one, naming the flag of what support must have */
export async function completed(context: Context, ticket: Ticket, mayAsk: boolean): Promise<Ticket> {
  if (!mayAsk) {
    const missing = ticket.environment === null ? '--env' : ticket.endpoint === null ? '--endpoint' : null;
    if (missing === null) return { ...ticket, severity: ticket.severity ?? severityOf(ticket) };
    throw usage(`the log of this machine has no ${ticket.requestId}, and support needs environment and endpoint`, {
      code: 'not_in_log',
      param: missing,
      next: `add them: credicorp support report ${ticket.requestId} --env sandbox --endpoint 'POST /partner/v1/applications'`,
    });
  }
  const asked = await import('./ticket-questions.ts');
  return withFlags(ticket, await asked.answers(context, ticket));
}

/** What to look at before sending, and how fast an answer comes: one line each. */
export function adviceLines(tickets: readonly Ticket[]): string[] {
  const codes = new Set(
    tickets.flatMap(({ errorCode }) => (errorCode !== null && problemPage(errorCode) ? [errorCode] : [])),
  );
  const places = new Set(tickets.map(({ environment }) => environment));
  return [
    'check first: credicorp status (with an incident under way no ticket is needed)',
    ...[...codes].map((code) => `check first: credicorp errors explain ${code}`),
    ...(places.has('live') ? ['check first: does it happen in the sandbox too? that request id says more'] : []),
    ...(places.has('local')
      ? ['note: the embedded sandbox is on this machine only; support cannot find calls to it']
      : []),
    ...severities().map(([, line]) => line),
  ];
}

/** Off live everything is the third. */
function severityOf({ environment }: Ticket): Severity | null {
  return environment === 'live' ? null : 3;
}

export function documentOf(ticket: Ticket): Record<string, unknown> {
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
