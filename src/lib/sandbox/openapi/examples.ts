/** An example of each answer, as the pages print them. */
import { sampleEvent } from '../../contract/event-samples.ts';
import type { EventType } from '../../contract/events.ts';
import type { AnswerName, PagedName } from './component-schemas.ts';

export const TOKEN_EXAMPLE = {
  access_token: 'EXAMPLE.ACCESS.TOKEN',
  token_type: 'Bearer',
  expires_in: 3600,
  scope: 'applications:write decisions:read',
};

/** By the name of the schema. */
export type Examples = Partial<Record<AnswerName | `${PagedName}Page`, object>>;

export function examples(): Examples {
  const application = { ...resourceOf('application.submitted'), status: 'created', submitted_at: null };
  const decision = resourceOf('decision.completed');
  const payment = { ...resourceOf('payment.settled'), status: 'processing' };
  const account = resourceOf('account.updated');
  const identity = { ...resourceOf('identity.check.completed'), status: 'pending', checks: [], completed_at: null };
  return {
    Application: application,
    ApplicationPage: pageOf(application),
    Decision: decision,
    DecisionPage: pageOf(decision),
    DecisionRefresh: {
      id: 'dec_5H2N8kQz',
      application_id: 'app_8Kd2c9Qm',
      refresh_status: 'queued',
      requested_at: '2026-06-29T10:20:00Z',
    },
    Payment: payment,
    PaymentPage: pageOf(payment),
    PaymentLink: LINK,
    IdentityCheck: identity,
    Account: account,
    AccountPage: pageOf(account),
    WebhookEndpoint: ENDPOINT,
    WebhookEndpointPage: pageOf(ENDPOINT),
  };
}

/** The resource a sample event carries, its ids as printed. */
function resourceOf(type: EventType): object {
  const event = sampleEvent(
    type,
    { id: 'evt_7Q2M9XaB', created: '2026-07-04T10:00:00Z' },
    (prefix) => `${prefix}8Kd2c9Qm`,
  );
  return Object(event.data['object']);
}

function pageOf(item: object): object {
  return { data: [item], has_more: false, next_cursor: null };
}

const LINK = {
  id: 'plink_2Vn8Rk0s',
  status: 'open',
  url: 'http://127.0.0.1:4010/pay/9xQ2mB7cT4Lw0ZpK6rHd1NvF',
  amount: 45_000,
  currency: 'GBP',
  reference: 'INV-5512',
  payer: { name: 'Ada Sample', email: 'ada@example.com' },
  application_id: null,
  redirect_uri: null,
  expires_at: '2026-07-06T13:42:07Z',
  created_at: '2026-06-29T13:42:07Z',
  metadata: {},
};

const ENDPOINT = {
  id: 'whend_3T8K1',
  url: 'http://127.0.0.1:3000/hook',
  enabled_events: ['decision.completed', 'payment.*'],
  status: 'enabled',
  description: 'local',
  api_version: '2026-07-01',
  metadata: {},
  created: '2026-07-04T09:00:00Z',
  disabled_reason: null,
  previous_secret_expires_at: null,
};
