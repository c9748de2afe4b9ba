/** The second provider end to end: its sandbox, its sign-in, its payments, and the generation that has no tokens. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { runInside } from '../support/inside.ts';
import { type Ended, freshHome, root } from '../support/spawn.ts';

const home = freshHome();
const run = (args: string[], input = '', more: Record<string, string> = {}): Promise<Ended> =>
  runInside(args, { ...home.env, ...more }, input);
type Json = Record<string, unknown>;
const PATH = '/v1/partner/payments';
let base = '';

before(async () => {
  const started = await run([
    'sandbox',
    'start',
    '--provider',
    'acountpay',
    '-b',
    '--port',
    '0',
    '--field',
    'base_url',
  ]);
  assert.equal(started.status, 0, started.stderr);
  base = started.stdout.trim();
});
after(async () => {
  await run(['sandbox', 'stop']);
  home[Symbol.dispose]();
});

test('signs in, and the profile says where everything is', async () => {
  const signedIn = await run(['login', '--provider', 'acountpay', '--env', 'local', '--json']);
  assert.equal(signedIn.status, 0, signedIn.stderr);
  const { profile, granted } = JSON.parse(signedIn.stdout) as Record<string, string>;
  assert.deepEqual([profile, granted], ['acountpay-local', 'payments:create payments:read']);
  const who = JSON.parse((await run(['whoami', '--check', '--json'])).stdout) as Record<string, unknown>;
  assert.deepEqual([who['provider'], who['base'], who['proven_by']], ['acountpay', base, 'mint']);
  const shown = await run(['token', 'show', '--json']);
  assert.match(shown.stdout, /"alg":"HS256"/);
  const verified = await run(['token', 'verify']);
  assert.equal(verified.status, 2);
  assert.match(verified.stderr, /cannot be verified on this machine/);
});

test('a payment for a merchant, its amount to the digit, to its end', async () => {
  const words = ['api', 'POST', PATH, '-F', 'amount=149.90', '-f', 'referenceNumber=ORDER-123'];
  const made = await run([...words, '--merchant', 'merchant_abc123', '--json']);
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stdout, /^\{"id":"pay_\w+","status":"pending","amount":149\.90,"referenceNumber":"ORDER-123"\}\n$/);
  const { id } = JSON.parse(made.stdout) as { id: string };
  let status = '';
  for (let tries = 0; tries < 50 && status !== 'completed'; tries += 1) {
    status = (await run(['api', 'GET', `${PATH}/${id}`, '--field', 'status'])).stdout.trim();
    if (status === 'pending') await pause(20);
  }
  assert.equal(status, 'completed');
  const failing = await run([...words, '--merchant', 'test_merchant_fail', '--quiet']);
  await run(['sandbox', 'clock', 'advance', '1m']);
  assert.equal((await run(['api', 'GET', `${PATH}/${failing.stdout.trim()}`, '--field', 'status'])).stdout, 'failed\n');
});

test('a missing flag is reported before anything is sent, and a refusal with the provider’s code', async () => {
  const none = await run(['api', 'POST', PATH, '-F', 'amount=1', '--json']);
  assert.equal(none.status, 2);
  assert.match(none.stderr, /"code":"merchant_missing"/);
  const thirds = await run([
    'api',
    'POST',
    PATH,
    '-F',
    'amount=1.005',
    '-f',
    'referenceNumber=X',
    '--merchant',
    'm',
    '--json',
  ]);
  assert.equal(thirds.status, 1, thirds.stderr);
  assert.match(thirds.stderr, /"code":"invalid_request"/);
  const unknown = await run(['api', 'GET', '/v1/partner/refunds', '--json']);
  assert.equal(unknown.status, 3);
  assert.match(unknown.stderr, /"code":"not_offered".*AcountPay/);
  const keyed = await run(['api', 'POST', PATH, '-F', 'amount=1', '--merchant', 'm', '--idempotency-key', 'k']);
  assert.equal(keyed.status, 2);
  const planned = await run(['api', 'POST', PATH, '-F', 'amount=1.10', '--merchant', 'm', '--dry-run', '--json']);
  assert.match(planned.stdout, /"x-merchant-client-id":"m"/);
  assert.doesNotMatch(planned.stdout, /Idempotency/i);
});

test("a command of Credicorp's API sends nothing there", async () => {
  for (const words of [
    ['apps', 'list', '--json'],
    ['apps', 'create', '--company', '16093826', '--dry-run', '--json'],
    ['payments', 'link', '--amount', '3', '--reference', 'x', '--json'],
    ['webhooks', 'listen', '--no-forward', '--json'],
  ]) {
    const refused = await run(words);
    assert.deepEqual([refused.status, refused.stdout], [2, ''], refused.stderr);
    assert.match(
      refused.stderr,
      /"code":"provider_mismatch".*AcountPay has a different API.*credicorp api METHOD PATH/,
    );
  }
  const log = await run(['logs', 'tail', '--no-follow', '--json', '--source', 'cli']);
  assert.doesNotMatch(log.stdout, /partner\/v1\/(?:applications|payments\/links|webhook_endpoints)/);
});

test('a third provider is one file', async () => {
  const folder = join(home.path, '.config', 'credicorp', 'providers');
  mkdirSync(folder, { recursive: true });
  const text = readFileSync(join(root, 'src/lib/auth/providers/acountpay.json'), 'utf8');
  const third = JSON.parse(text.replace('"acountpay"', '"third"').replace('"AcountPay"', '"Third"')) as Json;
  // A scheme that no provider of this program has.
  const webhooks = {
    ...(third['webhooks'] as Json),
    ...{ signatureHeader: 'x-third-hmac', signature: 'v=1 {mac}', timestampHeader: 'x-third-time', timestamp: 'iso' },
    ...{ signed: '{t}/{body}', hash: 'sha512', encoding: 'base64', toleranceSeconds: 60 },
  };
  writeFileSync(join(folder, 'third.json'), JSON.stringify({ ...third, webhooks }));
  const signedIn = await run([
    'login',
    '--provider',
    'third',
    '--env',
    'local',
    '--api-base',
    base,
    '--field',
    'profile',
  ]);
  assert.deepEqual([signedIn.status, signedIn.stdout], [0, 'third-local\n'], signedIn.stderr);
  const words = ['api', 'POST', PATH, '-F', 'amount=2.50', '-f', 'referenceNumber=X', '--profile', 'third-local'];
  assert.match((await run(words)).stderr, /a write to Third needs a merchant/);
  assert.equal((await run([...words, '--merchant', 'm', '--field', 'amount'])).stdout, '2.50\n');
  await thirdsWebhooks();
  writeFileSync(
    join(folder, 'third.json'),
    text.replace('"acountpay"', '"third"').replace('/oauth/token', 'https://evil.example/t'),
  );
  const hostile = await run(words);
  assert.equal(hostile.status, 2);
  assert.match(hostile.stderr, /"token\.path" must be a path/);
});

/** Signed, posted, and judged by the scheme in its file. */
async function thirdsWebhooks(): Promise<void> {
  const [body, secret] = [join(home.path, 'third-body.json'), join(home.path, 'third-secret.txt')];
  writeFileSync(body, '{"event":"payment.completed","data":{"id":"pay_1","status":"completed"}}');
  writeFileSync(secret, 'third_secret\n');
  const now = Date.parse('2026-06-29T10:15:00Z') / 1000;
  const given = ['--secret-file', secret, '--provider', 'third'];
  const mac = createHmac('sha512', 'third_secret')
    .update(`2026-06-29T10:15:00.000Z/${readFileSync(body, 'utf8')}`)
    .digest('base64');
  const signed = await run(['webhooks', 'sign', body, ...given, '--at', String(now)]);
  assert.equal(signed.stdout, `x-third-time: 2026-06-29T10:15:00.000Z\nx-third-hmac: v=1 ${mac}\n`, signed.stderr);
  const header = ['--header', `X-Third-Hmac: v=1 ${mac}`, '--timestamp', '2026-06-29T10:15:00.000Z'];
  const verify = (at: number, ...more: string[]): Promise<Ended> =>
    run(['webhooks', 'verify', body, ...given, ...header, '--at', String(at), '--json', ...more]);
  const genuine = await verify(now + 59);
  assert.match(genuine.stdout, /"valid":true.*"age_seconds":59.*"event_id":"[\da-f]{16}"/, genuine.stderr);
  const stale = await verify(now + 60);
  assert.deepEqual([stale.status, stale.stdout], [7, '']);
  assert.match(stale.stderr, /"code":"stale_timestamp"/);
  const other = await run(['webhooks', 'verify', body, ...given, '--header', 'v=1 abc', '--at', String(now)]);
  assert.equal(other.status, 7);
  const forged = await run(['webhooks', 'verify', body, ...given, '--header', 'v=1 abc', ...header.slice(2)]);
  assert.match(
    forged.stderr,
    /Third sends x-third-hmac: v=1 \{mac\}, where mac is the HMAC-SHA512 of \{t\}\/\{body\} in base64/,
  );
  const seen = Promise.withResolvers<IncomingMessage['headers']>();
  const app = createServer((request, response) => {
    seen.resolve(request.headers);
    response.end();
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const target = `http://127.0.0.1:${(app.address() as AddressInfo).port}/hook`;
  const sent = await run([
    'webhooks',
    'send',
    body,
    ...given,
    '--forward',
    target,
    '--at',
    String(now),
    '--field',
    'status',
  ]);
  app.close();
  assert.equal(sent.stdout, '200\n', sent.stderr);
  const headers = await seen.promise;
  assert.deepEqual([headers['x-third-time'], headers['x-third-hmac']], ['2026-06-29T10:15:00.000Z', `v=1 ${mac}`]);
  assert.equal(headers['credicorp-signature'], undefined);
}

test('its sandbox is not mistaken for the Credicorp one', async () => {
  const other = await run(['sandbox', 'start', '--port', '0']);
  assert.equal(other.status, 2);
  assert.match(other.stderr, /a sandbox of acountpay is already running/);
  const names = (await run(['profiles', 'list', '--json'])).stdout;
  assert.doesNotMatch(names, /"name":"local"/, 'no profile local was made');
});

test('a wrong secret, a wrong grant and a token of somebody else are refused with the provider’s messages', async () => {
  const wrong = await run(
    [
      'login',
      '--provider',
      'acountpay',
      '--env',
      'live',
      '--api-base',
      base,
      '--client-id',
      'x',
      '--secret-stdin',
      '--store',
      'file',
    ],
    'secret-of-live\n',
  );
  assert.equal(wrong.status, 2, 'a live credential does not go to this machine');
  const post = (path: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(base + path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });
  const client = 'client_id=partner_local&client_secret=partner_secret_local';
  for (const [body, status, error] of [
    [`grant_type=password&${client}`, 400, 'invalid_grant'],
    ['grant_type=client_credentials&client_id=partner_local&client_secret=no', 401, 'invalid_client'],
  ] as const) {
    const answer = await post('/oauth/token', body);
    assert.deepEqual([answer.status, await answer.json()], [status, { error }]);
    assert.equal(answer.headers.get('ratelimit-limit'), null);
    assert.equal(answer.headers.get('credicorp-request-id'), null);
  }
  const unsigned = await post(PATH, '{}', { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' });
  assert.deepEqual([unsigned.status, await unsigned.json()], [401, { error: 'invalid_token' }]);
});

test('generation 2 sends its credentials as headers, shows them nowhere, and has no token', async () => {
  const seen: IncomingMessage['headers'][] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    const known = request.headers['x-partner-client-secret'] === 'partner-secret-two';
    request
      .resume()
      .on('end', () =>
        response
          .writeHead(known ? 200 : 401, { 'content-type': 'application/json' })
          .end(known ? '{"data":[]}' : '{"error":{"code":"invalid_client"}}'),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const two = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const more = { CREDICORP_STORE_PASSPHRASE: 'a good passphrase' };
  const words = [
    'login',
    '--provider',
    'acountpay-v2',
    '--env',
    'sandbox',
    '--api-base',
    two,
    '--client-id',
    'two',
    '--secret-stdin',
    '--store',
    'file',
  ];
  try {
    assert.equal((await run(words, 'partner-secret-wrong\n', more)).status, 4);
    const signedIn = await run(words, 'partner-secret-two\n', more);
    assert.equal(signedIn.status, 0, signedIn.stderr);
    assert.deepEqual([seen.at(-1)?.['x-partner-client-id'], seen.at(-1)?.authorization], ['two', undefined]);
    const called = await run(
      ['api', 'POST', '/partner/payments', '-F', 'amount=1.10', '--merchant', 'm', '--debug'],
      '',
      more,
    );
    assert.equal(called.status, 0, called.stderr);
    assert.match(called.stderr, /x-partner-client-secret: \[redacted\]/);
    assert.doesNotMatch(called.stderr + called.stdout, /partner-secret-two/);
    const token = await run(['token'], '', more);
    assert.deepEqual([token.status, token.stdout], [2, '']);
    assert.match(token.stderr, /has no tokens/);
    const log = await run(['logs', 'tail', '--no-follow', '--json'], '', more);
    assert.doesNotMatch(log.stdout, /partner-secret-two/);
  } finally {
    server.close();
    await run(['logout', '--profile', 'acountpay-v2'], '', more);
  }
});
