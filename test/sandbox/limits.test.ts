import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, type Bench, type Reply } from './support.ts';

/** A sandbox whose real clock is turned by hand. */
function limited(options: Parameters<typeof bench>[0] = {}): Bench & { wait(ms: number): void } {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const one = bench({ rateLimit: true, now: () => now, ...options });
  return { ...one, wait: (ms) => (now += ms) };
}

const figures = ({ headers }: Reply): (string | null)[] =>
  ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'].map((name) => headers.get(name));

const read = ({ call }: Bench): Promise<Reply> => call('GET', '/partner/v1/applications');

test('a bucket holds its burst, refills by the second, and says so', async () => {
  const one = limited();
  assert.deepEqual(figures(await read(one)), ['50', '49', '1', null]);
  for (let i = 0; i < 49; i++) assert.equal((await read(one)).status, 200);
  const refused = await read(one);
  assert.equal(refused.status, 429);
  assert.deepEqual([refused.json.error.type, refused.json.error.code], ['rate_limit_error', 'rate_limit_exceeded']);
  assert.deepEqual(figures(refused), ['50', '0', '5', '1']);
  one.wait(100);
  assert.equal((await read(one)).status, 200);
  assert.equal((await read(one)).status, 429);
  one.wait(5000);
  assert.deepEqual(figures(await read(one)), ['50', '49', '1', null]);
});

test('each project has its own bucket at its own tier', async () => {
  const one = limited({ tier: 'launch' });
  const rows = [
    ['sk_test_local', '100'],
    ['sk_test_launch', '100'],
    ['sk_test_scale', '400'],
  ] as const;
  for (const [key, burst] of rows) {
    const reply = await one.call('GET', '/partner/v1/accounts', undefined, { authorization: `Bearer ${key}` });
    assert.deepEqual(figures(reply).slice(0, 2), [burst, String(Number(burst) - 1)]);
  }
});

test('a sub-limit refuses before the tier does and describes itself', async () => {
  const one = limited();
  for (let i = 0; i < 5; i++) assert.equal((await one.create()).status, 201);
  const refused = await one.create();
  assert.equal(refused.status, 429);
  assert.deepEqual(figures(refused), ['5', '0', '1', '1']);
  assert.deepEqual(figures(await read(one)).slice(0, 2), ['50', '44']);
  one.wait(200);
  assert.equal((await one.create()).status, 201);
  const refresh = (): Promise<Reply> => one.call('POST', '/partner/v1/decisions/dec_x/refresh');
  assert.equal((await refresh()).status, 404);
  assert.equal((await refresh()).status, 429);
});

test('a call without a credential uses no tokens, and has the rate limit headers', async () => {
  const one = limited();
  const bare = await one.bare('GET', '/partner/v1/applications');
  assert.deepEqual([bare.status, ...figures(bare)], [401, '50', '50', '0', null]);
  const missing = await one.bare('GET', '/nowhere');
  assert.deepEqual([missing.status, ...figures(missing)], [404, '50', '50', '0', null]);
});

test('a call without the scope is metered all the same', async () => {
  const one = limited();
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const grant = 'grant_type=client_credentials&client_id=cid_sbx_local&client_secret=csk_sbx_local&scope=accounts:read';
  const { json } = await one.bare('POST', '/oauth/token', grant, form);
  const refused = await one.call('GET', '/partner/v1/applications', undefined, {
    authorization: `Bearer ${json.access_token}`,
  });
  assert.deepEqual([refused.status, refused.headers.get('ratelimit-remaining')], [403, '49']);
});

test('too many at once are refused with one second to wait', async () => {
  const one = limited();
  await one.call('POST', '/_sandbox/faults', { kind: 'latency', delay_ms: 30, times: 0 });
  const replies = await Promise.all(Array.from({ length: 12 }, () => read(one)));
  assert.deepEqual(replies.map(({ status }) => status).sort(), [...Array<number>(10).fill(200), 429, 429]);
  const refused = replies.find(({ status }) => status === 429);
  assert.equal(refused?.headers.get('retry-after'), '1');
});

test('the token plane has its own bucket, public routes one per address and route', async () => {
  const one = limited();
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const grant = 'grant_type=client_credentials&client_id=cid_sbx_local&client_secret=csk_sbx_local';
  const mint = (): Promise<Reply> => one.bare('POST', '/oauth/token', grant, form);
  for (let i = 0; i < 50; i++) assert.equal((await mint()).status, 200);
  const refused = await mint();
  assert.deepEqual(
    [refused.status, refused.json.error, refused.headers.get('retry-after')],
    [429, 'rate_limit_exceeded', '1'],
  );
  assert.equal((await read(one)).headers.get('ratelimit-remaining'), '49');
  for (let i = 0; i < 60; i++) assert.equal((await one.bare('GET', '/public/v1/status')).status, 200);
  const busy = await one.bare('GET', '/public/v1/status');
  assert.deepEqual([busy.status, busy.json.error.code], [429, 'rate_limit_exceeded']);
  assert.equal((await one.bare('GET', '/public/v1/healthz')).status, 200);
});

test('with limits off the headers stay and nothing is refused', async () => {
  const one = limited({ rateLimit: false });
  for (let i = 0; i < 60; i++) assert.equal((await read(one)).status, 200);
  assert.deepEqual(figures(await read(one)).slice(0, 2), ['50', '0']);
});

test('admin routes and pages are free', async () => {
  const one = limited();
  for (let i = 0; i < 100; i++) assert.equal((await one.bare('GET', '/_sandbox/health')).status, 200);
  assert.equal((await one.bare('GET', '/')).status, 200);
  assert.equal((await read(one)).headers.get('ratelimit-remaining'), '49');
});
