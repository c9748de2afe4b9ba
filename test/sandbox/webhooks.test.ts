import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verify } from '../../src/lib/contract/signature.ts';
import type { WebhookRequest, DeliveryResult } from '../../src/lib/sandbox/deliveries/sender.ts';
import { bench, type Bench, type Body, type Reply } from './support.ts';

const HOOK = { url: 'http://127.0.0.1:3000/hook', enabled_events: ['*'] };
const LIST = '/partner/v1/webhook_endpoints';
const OK: DeliveryResult = { status: 200, error: null };
const DOWN: DeliveryResult = { status: 500, error: null };

function register({ call }: Bench, fields: object = {}): Promise<Reply> {
  return call('POST', LIST, { ...HOOK, ...fields });
}

function trigger({ call }: Bench, fields: object = {}): Promise<Reply> {
  return call('POST', '/_sandbox/events', { type: 'decision.completed', ...fields });
}

function underwriting(webhookRequest: WebhookRequest, ...secrets: string[]): ReturnType<typeof verify> {
  const header = webhookRequest.headers['Credicorp-Signature'];
  return verify({ header, body: Buffer.from(webhookRequest.body), secrets, now: Math.floor(Date.now() / 1000) });
}

test('an endpoint shows its secret once, in documented order', async () => {
  const one = bench();
  const { status, text, json } = await register(one, { description: 'local', metadata: { a: 'b' } });
  assert.equal(status, 201);
  assert.match(json.secret, /^whsec_[0-9A-Za-z]{32}$/);
  assert.equal(
    text.replace(json.id, 'ID').replace(json.secret, 'SECRET'),
    '{"id":"ID","url":"http://127.0.0.1:3000/hook","enabled_events":["*"],"status":"enabled","description":"local","api_version":"2026-07-01",' +
      '"metadata":{"a":"b"},"created":"2026-07-04T10:00:00Z","disabled_reason":null,"previous_secret_expires_at":null,"secret":"SECRET"}',
  );
  const read = await one.call('GET', `${LIST}/${json.id}`);
  assert.equal('secret' in read.json, false);
  assert.equal((await one.call('GET', LIST)).json.data.length, 1);
});

test('an invalid endpoint is refused with its param', async () => {
  const one = bench();
  const rows: [object, string, string][] = [
    [{ url: undefined }, 'parameter_missing', 'url'],
    [{ url: 'http://example.com/' }, 'parameter_invalid', 'url'],
    [{ url: 'http://127.0.0.1.evil.example/' }, 'parameter_invalid', 'url'],
    [{ url: 'https://user:pass@example.com/' }, 'parameter_invalid', 'url'],
    [{ url: 'https://example.com/#x' }, 'parameter_invalid', 'url'],
    [{ url: 'ftp://example.com/' }, 'parameter_invalid', 'url'],
    [{ enabled_events: undefined }, 'parameter_missing', 'enabled_events'],
    [{ enabled_events: [] }, 'parameter_invalid', 'enabled_events'],
    [{ enabled_events: 'decision.completed' }, 'parameter_invalid', 'enabled_events'],
    [{ enabled_events: ['nope.*'] }, 'parameter_invalid', 'enabled_events[0]'],
    [{ enabled_events: ['*', 'no'] }, 'parameter_invalid', 'enabled_events[1]'],
    [{ events: ['payment.*'] }, 'parameter_invalid', 'events'],
    [{ api_version: 'new' }, 'parameter_invalid', 'api_version'],
  ];
  for (const [fields, code, param] of rows) {
    const { status, json } = await register(one, fields);
    assert.deepEqual([status, json.error.code, json.error.param], [400, code, param], JSON.stringify(fields));
  }
  assert.equal(
    (await register(one, { enabled_events: undefined, events: ['payment.*'] })).json.enabled_events[0],
    'payment.*',
  );
  assert.equal((await register(one, { url: 'http://[::1]:3000/' })).status, 201);
});

test('the 21st endpoint is refused', async () => {
  const one = bench();
  for (let i = 0; i < 20; i++) assert.equal((await register(one)).status, 201);
  const { status, json } = await register(one);
  assert.deepEqual([status, json.error.code], [409, 'endpoint_limit_reached']);
  const { id } = (await one.call('GET', LIST)).json.data[0];
  assert.equal((await one.call('DELETE', `${LIST}/${id}`)).status, 204);
  assert.equal((await one.call('GET', `${LIST}/${id}`)).status, 404);
  assert.equal((await register(one)).status, 201);
});

test('a delivery is signed over its bytes, with both headers, and goes to those who asked', async () => {
  const one = bench();
  const { secret } = (await register(one, { enabled_events: ['payment.*'] })).json;
  await register(one, { enabled_events: ['application.submitted'] });
  await register(one, { enabled_events: ['decision.completed', 'payment.settled'], api_version: '2026-06-01' });
  await trigger(one, { type: 'payment.settled' });
  await one.advance('0s');
  assert.equal(one.webhookRequests.length, 2);
  const [first, second] = one.webhookRequests;
  assert.equal(underwriting(first!, secret).valid, true);
  assert.equal(first!.headers['User-Agent'], 'Credicorp-Sandbox-Webhooks/1');
  assert.match(first!.headers['Credicorp-Delivery'] ?? '', /^whd_/);
  assert.equal('Credicorp-Event-Id' in first!.headers, false);
  const [a, b] = [JSON.parse(first!.body), JSON.parse(second!.body)];
  assert.deepEqual([a.api_version, b.api_version, a.id], ['2026-07-01', '2026-06-01', b.id]);
  assert.deepEqual(Object.keys(a), ['id', 'type', 'created', 'livemode', 'api_version', 'data']);
});

test('extra delivery headers come when asked for', async () => {
  const one = bench({ webhookDebugHeaders: true });
  await register(one);
  const { id } = (await trigger(one)).json;
  await one.advance('0s');
  assert.deepEqual(
    [one.webhookRequests[0]?.headers['Credicorp-Event-Id'], one.webhookRequests[0]?.headers['Credicorp-Attempt']],
    [id, '1'],
  );
});

test('three days of retries follow the schedule, in well under a second', async () => {
  const began = performance.now();
  const one = bench({ receive: () => DOWN });
  await register(one);
  const event = (await trigger(one)).json;
  const { json } = await one.advance('72h');
  // The first attempt went out before the clock moved.
  assert.equal(json.fired.deliveries, 11);
  const { data } = (await one.call('GET', `/_sandbox/deliveries?event=${event.id}`)).json;
  const [delivery] = data;
  assert.deepEqual([delivery.status, delivery.next_attempt_at], ['abandoned', null]);
  const minutes = delivery.attempts.map(({ at }: Body) => (Date.parse(at) - Date.parse(event.created)) / 60_000);
  assert.deepEqual(minutes, [0, 1, 6, 36, 156, 516, 996, 1596, 2196, 2856, 3576, 4296]);
  assert.equal(new Set(one.webhookRequests.map(({ headers }) => headers['Credicorp-Delivery'])).size, 1);
  assert.ok(performance.now() - began < 1000);
});

test('any answer but 2xx in time is a failure; the next success ends it', async () => {
  const answers: DeliveryResult[] = [
    { status: null, error: 'timeout' },
    { status: 302, error: 'redirect' },
    { status: 404, error: null },
    { status: null, error: 'connection_refused' },
    { status: 204, error: null },
  ];
  const one = bench({ receive: () => answers.shift() ?? OK });
  await register(one);
  await trigger(one);
  await one.advance('72h');
  const [delivery] = (await one.call('GET', '/_sandbox/deliveries')).json.data;
  assert.equal(delivery.status, 'delivered');
  assert.deepEqual(
    delivery.attempts.map(({ status, error }: Body) => status ?? error),
    ['timeout', 302, 404, 'connection_refused', 204],
  );
});

test('seven days of failures disable an endpoint; enabled again it gets what is younger than 72 h', async () => {
  let result = DOWN;
  const one = bench({ receive: () => result });
  const { id } = (await register(one)).json;
  for (let day = 0; day < 7; day++) {
    await trigger(one);
    await one.advance('24h');
  }
  assert.equal((await one.call('GET', `${LIST}/${id}`)).json.status, 'enabled');
  await trigger(one);
  await one.advance('1h');
  const disabled = (await one.call('GET', `${LIST}/${id}`)).json;
  assert.deepEqual([disabled.status, disabled.disabled_reason], ['disabled', 'delivery_failures']);
  const during = (await trigger(one)).json;
  await one.advance('1h');
  const [held] = (await one.call('GET', `/_sandbox/deliveries?event=${during.id}`)).json.data;
  assert.deepEqual([held.status, held.attempts.length], ['held', 0]);
  result = OK;
  const sentBefore = one.webhookRequests.length;
  const enabled = await one.call('PATCH', `${LIST}/${id}`, { status: 'enabled' });
  assert.deepEqual([enabled.json.status, enabled.json.disabled_reason], ['enabled', null]);
  await one.advance('0s');
  assert.ok(one.webhookRequests.slice(sentBefore).some(({ body }) => JSON.parse(body).id === during.id));
  const left = (await one.call('GET', '/_sandbox/deliveries?status=held')).json.data;
  assert.equal(left.length, 0);
});

test('deliveries for a disabled endpoint are given up after 72 h, for a deleted one at once', async () => {
  const one = bench({ receive: () => DOWN });
  const { id } = (await register(one)).json;
  await trigger(one);
  await one.advance('1s');
  await one.call('PATCH', `${LIST}/${id}`, { status: 'disabled' });
  const state = async (): Promise<string> => (await one.call('GET', '/_sandbox/deliveries')).json.data[0].status;
  assert.equal(await state(), 'held');
  await one.advance('71h');
  assert.equal(await state(), 'held');
  await one.advance('1h');
  assert.equal(await state(), 'abandoned');
  const other = (await register(one)).json.id;
  await trigger(one);
  await one.advance('1s');
  await one.call('DELETE', `${LIST}/${other}`);
  assert.equal(await state(), 'abandoned');
});

test('a rotated secret signs beside the old one for 24 h, in the order asked for', async () => {
  for (const v1Order of ['new-first', 'old-first'] as const) {
    const one = bench({ v1Order });
    const { id, secret: old } = (await register(one)).json;
    const { secret, previous_secret_expires_at: until } = (await one.call('POST', `${LIST}/${id}/rotate_secret`)).json;
    assert.notEqual(secret, old);
    assert.equal(until, '2026-07-05T10:00:00Z');
    await trigger(one);
    await one.advance('0s');
    const both = one.webhookRequests[0]!;
    const order = v1Order === 'new-first' ? [secret, old] : [old, secret];
    assert.equal(underwriting(both, order[0]!).valid, true);
    const keepsFirst = underwriting(both, order[0]!);
    assert.deepEqual(keepsFirst.valid && keepsFirst.warnings, ['last_v1_only']);
    await one.call('POST', `${LIST}/${id}/rotate_secret`);
    await trigger(one);
    await one.advance('0s');
    assert.equal(underwriting(one.webhookRequests[1]!, old).valid, false);
    assert.equal(underwriting(one.webhookRequests[1]!, secret).valid, true);
    await one.advance('24h');
    await trigger(one);
    await one.advance('0s');
    assert.equal(one.webhookRequests[2]!.headers['Credicorp-Signature']?.match(/v1=/g)?.length, 1);
  }
});

test('a trigger sends samples, real objects and changed members through the machinery', async () => {
  const one = bench();
  await register(one);
  const sample = await trigger(one, { set: { 'data.outcome': 'declined', 'data.object.reason': 'affordability' } });
  assert.equal(sample.status, 201);
  assert.deepEqual(
    [sample.json.data.outcome, sample.json.data.object.outcome, sample.json.data.reason],
    ['declined', 'declined', 'affordability'],
  );
  const { id } = (await one.create()).json;
  const real = await trigger(one, { type: 'application.updated', object_id: id });
  assert.equal(real.json.data.object.id, id);
  const many = await trigger(one, { type: 'loan.closed', count: 3 });
  assert.equal(new Set(many.json.events.map((event: Body) => event.id)).size, 3);
  await one.advance('0s');
  assert.equal(one.webhookRequests.length, 5);
  const rows: [object, number, string][] = [
    [{ type: 'no.such' }, 400, 'type'],
    [{ type: undefined }, 400, 'type'],
    [{ object_id: 'app_nothing' }, 404, 'object_id'],
    [{ object_id: id }, 400, 'object_id'],
    [{ set: { id: 'evt_1' } }, 400, 'set.id'],
    [{ set: { 'data.__proto__.x': 1 } }, 400, 'set.data.__proto__.x'],
    [{ count: 1001 }, 422, 'count'],
    [{ endpoint: 'whend_x' }, 404, 'endpoint'],
  ];
  for (const [fields, status, param] of rows) {
    const reply = await trigger(one, fields);
    assert.deepEqual([reply.status, reply.json.error.param], [status, param], JSON.stringify(fields));
  }
});

test('a trigger for one endpoint ignores what it subscribed to; a resend keeps id and bytes', async () => {
  const one = bench();
  const { id: deaf } = (await register(one, { enabled_events: ['loan.*'] })).json;
  await register(one);
  const event = (await trigger(one, { endpoint: deaf })).json;
  await one.advance('0s');
  assert.equal(one.webhookRequests.length, 1);
  const all = await one.call('POST', `/_sandbox/events/${event.id}/resend`);
  assert.deepEqual([all.status, all.json.deliveries.length], [202, 1]);
  const again = await one.call('POST', `/_sandbox/events/${event.id}/resend`, { endpoint: deaf });
  assert.equal(again.json.deliveries[0].endpoint_id, deaf);
  await one.advance('0s');
  assert.equal(new Set(one.webhookRequests.map(({ body }) => body)).size, 1);
  assert.equal(new Set(one.webhookRequests.map(({ headers }) => headers['Credicorp-Delivery'])).size, 3);
  assert.equal((await one.call('POST', '/_sandbox/events/evt_x/resend')).status, 404);
});

test('at most ten attempts are under way per endpoint, first ones in event order', async () => {
  let underWay = 0;
  let most = 0;
  const one = bench({
    receive: async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setTimeout(resolve, 2));
      underWay -= 1;
      return OK;
    },
  });
  await register(one);
  const { events } = (await trigger(one, { count: 40 })).json;
  await one.advance('0s');
  assert.equal(most, 10);
  assert.deepEqual(
    one.webhookRequests.map(({ body }) => JSON.parse(body).id),
    events.map(({ id }: Body) => id),
  );
});

test('PATCH changes what it names and nothing else', async () => {
  const one = bench();
  const { id } = (await register(one, { description: 'a', metadata: { a: '1' } })).json;
  const { json } = await one.call('PATCH', `${LIST}/${id}`, {
    url: 'https://example.com/x',
    enabled_events: ['loan.*'],
  });
  assert.deepEqual(
    [json.url, json.enabled_events, json.description, json.metadata],
    ['https://example.com/x', ['loan.*'], 'a', { a: '1' }],
  );
  const bad = await one.call('PATCH', `${LIST}/${id}`, { status: 'paused' });
  assert.deepEqual([bad.status, bad.json.error.param], [400, 'status']);
});

test('each webhook fault spoils deliveries as documented', async () => {
  const one = bench();
  const { secret } = (await register(one)).json;
  const sent = async (kind: string, more: object = {}): Promise<WebhookRequest[]> => {
    one.webhookRequests.length = 0;
    await one.call('POST', '/_sandbox/faults', { kind, ...more });
    await trigger(one);
    await one.advance('0s');
    return one.webhookRequests;
  };
  assert.equal((await sent('webhook_duplicate')).length, 2);
  const cause = ([webhookRequest]: WebhookRequest[]): string => {
    const judged = underwriting(webhookRequest!, secret);
    return judged.valid ? 'valid' : judged.cause;
  };
  assert.equal(cause(await sent('webhook_bad_signature')), 'wrong_secret');
  assert.equal(cause(await sent('webhook_stale')), 'stale_timestamp');
  assert.equal(cause(await sent('webhook_body_only')), 'body_only_hmac');
  assert.equal((await sent('webhook_fail')).length, 0);
  await one.advance('1m');
  assert.equal(one.webhookRequests.length, 1);
  assert.equal((await sent('webhook_delay', { delay_ms: 5000 })).length, 0);
  await one.advance('4999ms');
  assert.equal(one.webhookRequests.length, 0);
  await one.advance('1ms');
  assert.equal(one.webhookRequests.length, 1);
  assert.equal((await sent('webhook_fail', { match: { event: 'loan.*' } })).length, 1);
});

test('webhook_reorder sends an event after the one that followed it', async () => {
  const one = bench();
  await register(one);
  await one.call('POST', '/_sandbox/faults', { kind: 'webhook_reorder' });
  const { events } = (await trigger(one, { count: 3 })).json;
  await one.advance('0s');
  const order = one.webhookRequests.map(({ body }) => JSON.parse(body).id);
  assert.equal(order.length, 3);
  assert.ok(order.indexOf(events[0].id) > order.indexOf(events[1].id));
});

test('of many events the newest are kept, and every one that still waits for somebody', async () => {
  const one = bench();
  const { id } = (await register(one)).json;
  const turn = (status: string): Promise<Reply> => one.call('PATCH', `${LIST}/${id}`, { status });
  const thousand = async (): Promise<string> => (await trigger(one, { count: 1000 })).json.events[0].id;
  const events = async (): Promise<number> => (await one.bare('GET', '/_sandbox/health')).json.counts.events;
  await turn('disabled');
  const first = await thousand();
  for (let i = 0; i < 4; i++) await thousand();
  assert.equal(await events(), 5000);
  assert.equal((await one.call('POST', `/_sandbox/events/${first}/resend`)).status, 202);
  await turn('enabled');
  await one.advance('1s');
  assert.equal(one.webhookRequests.length, 5001);
  await thousand();
  assert.equal(await events(), 2000);
  assert.equal((await one.call('POST', `/_sandbox/events/${first}/resend`)).status, 404);
});
