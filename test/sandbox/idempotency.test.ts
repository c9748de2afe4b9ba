import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APPLICATION, bench } from './support.ts';

const PATH = '/partner/v1/applications';
const KEY = { 'idempotency-key': 'order_88421' };

test('a repeat is answered byte for byte, with a new request id, and creates nothing', async () => {
  const { create, call } = bench();
  const first = await create({}, KEY);
  const second = await create({}, KEY);
  assert.equal(second.status, 201);
  assert.equal(second.text, first.text);
  assert.equal(second.headers.get('idempotency-replayed'), 'true');
  assert.equal(first.headers.get('idempotency-replayed'), null);
  assert.notEqual(second.headers.get('credicorp-request-id'), first.headers.get('credicorp-request-id'));
  assert.equal((await call('GET', PATH)).json.data.length, 1);
});

test('payloads are equal by meaning, not by spelling', async () => {
  const { bare } = bench();
  const headers = { authorization: 'Bearer sk_test_local', ...KEY };
  const first = await bare('POST', PATH, JSON.stringify(APPLICATION), headers);
  const turned = JSON.stringify(Object.fromEntries(Object.entries(APPLICATION).reverse()), null, 2);
  assert.equal((await bare('POST', PATH, turned, headers)).text, first.text);
  const long = { ...APPLICATION, metadata: { k: 'v'.repeat(400) } };
  const longHeaders = { ...headers, 'idempotency-key': 'long' };
  const whole = await bare('POST', PATH, JSON.stringify(long), longHeaders);
  assert.equal((await bare('POST', PATH, JSON.stringify(long, null, 1), longHeaders)).text, whole.text);
});

test('another payload under the same key is a conflict', async () => {
  const { create } = bench();
  await create({}, KEY);
  const { status, json } = await create({ term_months: 13 }, KEY);
  assert.deepEqual([status, json.error.code, json.error.param], [409, 'idempotency_conflict', 'Idempotency-Key']);
});

test('a key counts per project, method and path, for 24 h of sandbox time', async () => {
  const { create, call, advance } = bench();
  const first = await create({}, KEY);
  const link = await call('POST', '/partner/v1/payments/links', { amount: 1, reference: 'r' }, KEY);
  assert.equal(link.status, 201);
  const elsewhere = await create({}, { ...KEY, authorization: 'Bearer sk_test_scale' });
  assert.notEqual(elsewhere.json.id, first.json.id);
  await advance('86399s');
  assert.equal((await create({}, KEY)).json.id, first.json.id);
  await advance('1s');
  assert.notEqual((await create({}, KEY)).json.id, first.json.id);
});

test('refusals of the body are kept, those of credential and rate are not', async () => {
  const { create } = bench();
  const bad = await create({ term_months: 61 }, KEY);
  assert.equal(bad.status, 422);
  const repeated = await create({ term_months: 61 }, KEY);
  assert.deepEqual([repeated.text, repeated.headers.get('idempotency-replayed')], [bad.text, 'true']);
  assert.equal((await create({}, KEY)).json.error.code, 'idempotency_conflict');
  const other = { 'idempotency-key': 'other' };
  assert.equal((await create({}, { ...other, authorization: 'Bearer sk_test_x' })).status, 401);
  assert.equal((await create({}, other)).status, 201);
});

test('a fault of 503 is not kept, so that the retry goes through', async () => {
  const { create, call } = bench();
  await call('POST', '/_sandbox/faults', { kind: 'error', match: { method: 'POST', path: PATH }, retry_after: 2 });
  const down = await create({}, KEY);
  assert.deepEqual(
    [down.status, down.json.error.code, down.headers.get('retry-after')],
    [503, 'service_unavailable', '2'],
  );
  assert.equal((await create({}, KEY)).status, 201);
});

test('while the first call runs, a second one with the same key is refused as in progress', async () => {
  const { create, call } = bench();
  await call('POST', '/_sandbox/faults', { kind: 'latency', delay_ms: 50 });
  const [first, second] = await Promise.all([create({}, KEY), create({}, KEY)]);
  assert.equal(first.status, 201);
  assert.deepEqual([second.status, second.json.error.code], [409, 'idempotency_key_in_progress']);
  assert.equal(second.headers.get('retry-after'), '1');
  assert.equal((await create({}, KEY)).text, first.text);
});

test('a dropped answer was executed: the same key brings it back', async () => {
  const { create, call } = bench();
  await call('POST', '/_sandbox/faults', { kind: 'drop_after', match: { method: 'POST' } });
  await assert.rejects(create({}, KEY), TypeError);
  const { status, headers } = await create({}, KEY);
  assert.deepEqual([status, headers.get('idempotency-replayed')], [201, 'true']);
  await call('POST', '/_sandbox/faults', { kind: 'drop_before', match: { method: 'POST' } });
  const other = { 'idempotency-key': 'other' };
  await assert.rejects(create({}, other), TypeError);
  assert.equal((await create({}, other)).headers.get('idempotency-replayed'), null);
  assert.equal((await call('GET', PATH)).json.data.length, 2);
});

test('a deletion replays as it was', async () => {
  const { call } = bench();
  const { id } = (
    await call('POST', '/partner/v1/webhook_endpoints', { url: 'https://a.example/', enabled_events: ['*'] })
  ).json;
  const path = `/partner/v1/webhook_endpoints/${id}`;
  assert.equal((await call('DELETE', path, undefined, KEY)).status, 204);
  const again = await call('DELETE', path, undefined, KEY);
  assert.deepEqual([again.status, again.text, again.headers.get('idempotency-replayed')], [204, '', 'true']);
  assert.equal((await call('DELETE', path)).status, 404);
});

test('a key that is none is refused', async () => {
  const { create } = bench();
  for (const key of ['with space', 'x'.repeat(256), 'é']) {
    const { status, json } = await create({}, { 'idempotency-key': key });
    assert.deepEqual([status, json.error.code, json.error.param], [400, 'parameter_invalid', 'Idempotency-Key'], key);
  }
});
