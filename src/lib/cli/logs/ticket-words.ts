/** What a ticket's flags, questions and report have in common. */
import { SEVERITIES, type Severity } from '../../journal/support-ticket.ts';

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

export const KEY_PREFIX = 'write sk_test_, pk_test_, sk_live_, pk_live_, cid_sbx_ or cid_live_';

export function isEndpoint(text: string): true | string {
  return (
    /^(?:GET|POST|PUT|PATCH|DELETE|HEAD) \/[^\s]{0,2000}$/.test(text) || 'write it like POST /partner/v1/applications'
  );
}

/** Mildest last, in a line each. */
export function severities(): [Severity, string][] {
  return ([1, 2, 3] as const).map((severity) => {
    const { means, answer } = SEVERITIES[severity];
    return [severity, `SEV-${severity}: ${means}; first answer ${answer}`];
  });
}
