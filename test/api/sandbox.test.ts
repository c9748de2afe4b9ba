/** The client against the embedded sandbox, over real sockets. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type Client, type ClientOptions, createClient } from '../../src/lib/api/client.ts';
import { createRateLimiter } from '../../src/lib/api/rate-limit.ts';
import { pages } from '../../src/lib/api/pages.ts';
import { createTransport, type Transport } from '../../src/lib/api/transport.ts';
import { lookAtDecision, waitForDecision } from '../../src/lib/api/wait.ts';
import { writeJson } from '../../src/lib/contract/json.ts';
import { Failure } from '../../src/lib/failure.ts';
import { serveSandbox, type Served } from '../../src/lib/sandbox/sandbox-server.ts';

/** Sandbox time runs this many times faster than ours; the client's clock and waits run with it. */
const SPEED = 5;
let served: Served;
let transport: Transport;
let startedAt: number;

before(async () => {
  startedAt = Date.now();
  served = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    version: '0.0.0',
    seed: 'client-test',
    now: Date.now,
    rateLimit: false,
    clock: { speed: SPEED },
  });
  transport = createTransport({ timeoutMs: 10_000 });
  // The first call loads and compiles what sends and answers; at this speed that is a second of the sandbox.
  await clientOf('sk_test_launch').call('applications.list');
});
after(async () => {
  await transport.close();
  await served.close();
});

const now = (): number => startedAt + (Date.now() - startedAt) * SPEED;
const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  wait(ms / SPEED, undefined, signal ? { signal } : {});

/** Each test has a project of its own. */
function clientOf(key: string, more: Partial<ClientOptions> = {}): Client {
  return createClient({
    base: served.url,
    userAgent: 'credicorp-cli/0.0.0',
    token: async () => key,
    send: transport.send,
    newKey: randomUUID,
    timeoutMs: 10_000,
    maxRetries: 3,
    now,
    sleep,
    random: Math.random,
    environment: 'local',
    rateLimiter: createRateLimiter({ now, sleep }),
    record: () => undefined,
    ...more,
  });
}
const launch = (more: Partial<ClientOptions> = {}): Client => clientOf('sk_test_launch', more);
const scale = (more: Partial<ClientOptions> = {}): Client => clientOf('sk_test_scale', more);

const apply = (client: Client, company: string) =>
  client.call('applications.create', {
    body: { amount_pence: 2500000, term_months: 12, business: { company_number: company } },
  });
const failed = (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(
    () => assert.fail('no failure'),
    (error: unknown) => (error instanceof Failure ? error : assert.fail(String(error))),
  );

describe('client and sandbox', () => {
  it('an application, its decision, a link', async () => {
    const client = launch();
    const created = await apply(client, '16093826');
    assert.equal(created.status, 201);
    assert.match(created.requestId ?? '', /^req_/);
    assert.equal(writeJson(created.json), created.text.trim());
    const states: string[] = [];
    const decision = await waitForDecision(client, created.data.id, {
      timeoutMs: 120_000,
      now,
      sleep,
      onState: (state) => states.push(state),
    });
    assert.equal(decision.data.outcome, 'approved');
    assert.equal(decision.data.application_id, created.data.id);
    assert.ok(states.length > 0 && states.every((state) => state === 'pending'));
    const link = await client.call('links.create', { body: { amount: 45000, reference: 'INV-5512' } });
    assert.equal(link.data.amount, 45000);
    const again = await client.call('links.get', { id: link.data.id ?? '' });
    assert.equal(again.text, link.text);
  });

  it('a referral is waited through, and a lasting one is pending with its last state', async () => {
    const client = launch();
    const referred = await apply(client, '00000402');
    const states = new Set<string>();
    const decision = await waitForDecision(client, referred.data.id, {
      timeoutMs: 120_000,
      now,
      sleep,
      onState: (state) => states.add(state),
    });
    assert.equal(decision.data.outcome, 'approved');
    assert.ok(states.has('referred'));
    const held = await apply(client, '00000409');
    const failure = await failed(waitForDecision(client, held.data.id, { timeoutMs: 4000, now, sleep }));
    assert.equal(failure.kind, 'pending');
    assert.match(writeJson(failure.facts.last), /"outcome":"referred"/);
    const early = await waitForDecision(client, held.data.id, { timeoutMs: 4000, now, sleep, until: () => true });
    assert.equal(early.data.outcome, 'referred');
  });

  it('every error of the API is a failure of the right kind with its request id', async () => {
    const client = launch();
    const rows: [call: () => Promise<unknown>, failure: string][] = [
      [() => apply(client, '00000410'), 'refused company_not_eligible'],
      [() => client.call('applications.create', { body: { term_months: 12 } }), 'refused parameter_missing'],
      [() => client.call('applications.get', { id: 'app_none' }), 'not_found resource_missing'],
      [() => clientOf('sk_test_wrong').call('applications.list'), 'auth unauthorized'],
      [() => client.call('applications.list', { query: { cursor: 'made-up' } }), 'refused parameter_invalid'],
      [() => client.request({ method: 'GET', path: '/partner/v1/mandates', assumed: true }), 'not_found not_offered'],
      [() => client.request({ method: 'PUT', path: '/partner/v1/applications', assumed: true }), 'refused not_offered'],
    ];
    for (const [call, expected] of rows) {
      const failure = await failed(call());
      assert.equal(`${failure.kind} ${failure.facts.code}`, expected);
      assert.match(failure.facts.requestId ?? '', /^req_/);
    }
  });

  it('the same key twice is one application', async () => {
    const client = launch();
    const body = { amount_pence: 100000, term_months: 3, business: { company_number: '00000403' } };
    const first = await client.call('applications.create', { body, idempotencyKey: 'one-key' });
    const second = await client.call('applications.create', { body, idempotencyKey: 'one-key' });
    assert.equal(second.text, first.text);
    assert.equal(second.headers['idempotency-replayed'], 'true');
    const other = await failed(
      client.call('applications.create', { body: { ...body, term_months: 4 }, idempotencyKey: 'one-key' }),
    );
    assert.equal(other.facts.code, 'idempotency_conflict');
  });

  it('walks a list to its end, from a cursor, and says where it broke', async () => {
    const client = scale();
    const ids = new Set<string>();
    for (let n = 0; n < 12; n += 1) ids.add((await apply(client, '00000401')).data.id);
    const seen: string[] = [];
    let cursor: string | null | undefined;
    for await (const page of pages(client, 'applications.list', { limit: 5 })) {
      seen.push(...page.data.data.map((application) => application.id));
      cursor ??= page.data.next_cursor;
    }
    assert.deepEqual(new Set(seen), ids);
    assert.equal(seen.length, 12);
    const rest: string[] = [];
    for await (const page of pages(client, 'applications.list', { limit: 5, cursor: cursor ?? '' })) {
      rest.push(...page.data.data.map((application) => application.id));
    }
    assert.deepEqual(rest, seen.slice(5));

    let calls = 0;
    const breaking = scale({
      maxRetries: 0,
      send: (request) =>
        (calls += 1) === 2
          ? Promise.reject(new Failure('unavailable', 'cut', { code: 'reset' }))
          : transport.send(request),
    });
    const walk = pages(breaking, 'applications.list', { limit: 5 });
    await walk.next();
    assert.equal((await failed(walk.next())).facts.cursor, cursor);
  });

  it('reads the decision of an application whether the first form knows its id or not', async () => {
    const client = scale();
    const created = await apply(client, '00000405');
    await waitForDecision(client, created.data.id, { timeoutMs: 60_000, now, sleep });
    // A server that takes decision ids only: the second form is asked (partner-api.md#decisions).
    const strict = scale({
      send: async (request) =>
        /\/decisions\/app_/.test(request.url)
          ? { status: 404, headers: {}, text: '{"error":{"code":"resource_missing"}}' }
          : transport.send(request),
    });
    const look = await lookAtDecision(strict, created.data.id);
    assert.ok('done' in look);
    assert.equal(look.done.data.outcome, 'declined');
    assert.equal((await failed(lookAtDecision(strict, 'app_none'))).kind, 'not_found');
  });

  it('200 payment links go out at the ceiling of tier build without a single 429', async () => {
    // Its limits run on the clock it is handed, ten times as fast as ours.
    const build = await serveSandbox({
      host: '127.0.0.1',
      port: 0,
      version: '0.0.0',
      seed: 'pace-test',
      now,
      tier: 'build',
    });
    let refused = 0;
    const record: ClientOptions['record'] = ({ status }) => void (refused += status === 429 ? 1 : 0);
    const client = clientOf('sk_test_local', { base: build.url, record });
    const start = now();
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < 200) {
        next += 1;
        await client.call('links.create', { body: { amount: 100 + next, reference: `INV-${next}` } });
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    const perSecond = 200 / ((now() - start) / 1000);
    await build.close();
    assert.equal(refused, 0);
    assert.ok(perSecond >= 9.5, `${perSecond.toFixed(2)} a second`);
  });
});
