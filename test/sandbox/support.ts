/** A sandbox for tests: its clock stands unless asked otherwise, its seed is fixed, and calls are one line. */
import { createSandbox, type Sandbox, type SandboxOptions } from '../../src/lib/sandbox/sandbox.ts';
import type { WebhookRequest, DeliveryResult } from '../../src/lib/sandbox/deliveries/sender.ts';

export const BASE = 'http://127.0.0.1:4010';
export const START = Date.parse('2026-07-04T10:00:00Z');
export const COMPANY = '16093826';

export interface Reply {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; null when it is none. */
  json: Body;
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into member by member, a wrong guess fails the test
export type Body = any;

export interface Bench {
  sandbox: Sandbox;
  /** What the receivers got, in order of arrival. */
  webhookRequests: WebhookRequest[];
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** A call without any credential. */
  bare(method: string, path: string, body?: string, headers?: Record<string, string>): Promise<Reply>;
  /** Moves the clock and lets everything happen on the way. */
  advance(by: string): Promise<Reply>;
  create(fields?: Record<string, unknown>, headers?: Record<string, string>): Promise<Reply>;
}

export interface BenchOptions extends Partial<SandboxOptions> {
  /** Answers of the receiver, by request; 200 when absent. */
  receive?: (webhookRequest: WebhookRequest) => DeliveryResult | Promise<DeliveryResult>;
}

export function bench(options: BenchOptions = {}): Bench {
  const webhookRequests: WebhookRequest[] = [];
  const { receive = () => ({ status: 200, error: null }), ...given } = options;
  const sandbox = createSandbox({
    baseUrl: BASE,
    version: '0.0.0',
    seed: 'ci',
    rateLimit: false,
    clock: { start: START, frozen: true },
    now: Date.now,
    post: async (webhookRequest) => {
      webhookRequests.push(webhookRequest);
      return receive(webhookRequest);
    },
    ...given,
  });
  const bare: Bench['bare'] = async (method, path, body, headers = {}) => {
    const request = new Request(BASE + path, { method, headers, ...(body === undefined ? {} : { body }) });
    return replyOf(await sandbox.fetch(request, { address: '127.0.0.1' }));
  };
  const call: Bench['call'] = (method, path, body, headers = {}) =>
    bare(method, path, body === undefined ? undefined : JSON.stringify(body), {
      authorization: 'Bearer sk_test_local',
      ...headers,
    });
  return {
    sandbox,
    webhookRequests,
    bare,
    call,
    advance: (by) => call('POST', '/_sandbox/clock/advance', { by }),
    create: (fields = {}, headers = {}) =>
      call('POST', '/partner/v1/applications', { ...APPLICATION, ...fields }, headers),
  };
}

export const APPLICATION = {
  amount_pence: 2_500_000,
  term_months: 12,
  business: { company_number: COMPANY },
  redirect_uri: 'https://yourapp.example/return',
};

export async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text();
  let json: Body = null;
  try {
    json = JSON.parse(text);
  } catch {
    // Not every body is JSON.
  }
  return { status: response.status, headers: response.headers, text, json };
}
