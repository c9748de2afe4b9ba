import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { request } from 'undici';
import { type SignatureVerdict, signatureHeader } from '../../../src/lib/contract/signature.ts';
import { Failure } from '../../../src/lib/failure.ts';
import {
  type Incoming,
  openReceiver,
  type Receiver,
  type ReceiverOptions,
} from '../../../src/lib/webhooks/listen/receiver.ts';
import { signatureCases } from '../../support/vectors.ts';
import { openInbox, openSender, SECRET, startListening } from '../support/stage.ts';

const PATH = '/a-path-nobody-can-guess';

async function open(more: Partial<ReceiverOptions> = {}): Promise<Receiver & { taken: Incoming[]; refused: string[] }> {
  const taken: Incoming[] = [];
  const refused: string[] = [];
  const receiver = await openReceiver({
    port: 0,
    path: PATH,
    secrets: () => [SECRET],
    now: Date.now,
    onDelivery: async (incoming) => {
      taken.push(incoming);
      return 200;
    },
    onRejected: (_incoming, verdict) => refused.push(verdict.cause),
    ...more,
  });
  after(() => receiver.close(0));
  return { ...receiver, taken, refused };
}

const signed = (body: Buffer): Record<string, string> => ({
  'credicorp-signature': signatureHeader({ secrets: [SECRET], t: Math.floor(Date.now() / 1000), body }),
});

for (const [name, method, path] of [
  ['another path', 'POST', '/'],
  ['the path with more', 'POST', `${PATH}/x`],
  ['the path with a query', 'POST', `${PATH}?a=b`],
  ['the path in another case', 'POST', PATH.toUpperCase()],
  ['a GET', 'GET', PATH],
  ['an OPTIONS', 'OPTIONS', PATH],
  ['a HEAD of the root', 'HEAD', '/'],
] as const) {
  test(`${name} is 404 without a hint`, async () => {
    const { port, taken } = await open();
    const answer = await request(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { origin: 'https://evil.example' },
    });
    assert.equal(answer.statusCode, 404);
    assert.equal(await answer.body.text(), '');
    assert.deepEqual(Object.keys(answer.headers).sort(), ['connection', 'content-length', 'date']);
    assert.equal(taken.length, 0);
  });
}

test('the raw bytes, the headers as received and the delivery id are passed on', async () => {
  const { url, taken } = await open();
  const body = Buffer.from([0, 255, 13, 10, 128]);
  const headers = { ...signed(body), 'Credicorp-Delivery': 'whd_7', 'X-Twice': ['a', 'b'] };
  assert.equal((await request(url, { method: 'POST', body, headers })).statusCode, 200);
  const [incoming] = taken;
  assert.ok(incoming);
  assert.deepEqual([incoming.body, incoming.deliveryId], [body, 'whd_7']);
  assert.equal(incoming.headers.filter((text) => text === 'X-Twice').length, 2);
});

test('a sender that closes its side after the body still gets its 200', async () => {
  const stored = Promise.withResolvers<void>();
  const { port } = await open({
    async onDelivery() {
      await stored.promise;
      return 200;
    },
  });
  const body = Buffer.from('{}');
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  after(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const lines = Object.entries({ host: 'x', 'content-length': '2', ...signed(body) }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.end(`POST ${PATH} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n{}`);
  await once(socket, 'finish');
  // By the time others were answered, the end of this one was seen.
  for (let n = 0; n < 3; n += 1) await request(`http://127.0.0.1:${port}/`).then(({ body: rest }) => rest.dump());
  stored.resolve();
  await once(socket, 'end');
  assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 200 /);
});

test('a body of exactly the limit is accepted, one byte more is 413, with or without Content-Length', async () => {
  const { url, taken } = await open({ limits: { bodyBytes: 1000 } });
  const whole = Buffer.alloc(1000, 65);
  assert.equal((await request(url, { method: 'POST', body: whole, headers: signed(whole) })).statusCode, 200);
  const large = Buffer.alloc(1001, 65);
  assert.equal((await request(url, { method: 'POST', body: large, headers: signed(large) })).statusCode, 413);
  const status = await new Promise((resolve, reject) => {
    const chunked = httpRequest(url, { method: 'POST', headers: signed(large) }, (answer) =>
      resolve(answer.statusCode),
    );
    chunked.on('error', reject);
    chunked.write(large.subarray(0, 500));
    chunked.end(large.subarray(500));
  });
  assert.equal(status, 413);
  assert.equal(taken.length, 1);
});

test('the default limit is 1 MiB', async () => {
  const { url } = await open();
  for (const [size, expected] of [
    [1024 * 1024, 200],
    [1024 * 1024 + 1, 413],
  ] as const) {
    const body = Buffer.alloc(size, 65);
    assert.equal((await request(url, { method: 'POST', body, headers: signed(body) })).statusCode, expected);
  }
});

async function raw(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

test('a body that arrives too slowly is cut off', async () => {
  const { port, taken } = await open({ limits: { requestMs: 100 } });
  const socket = await raw(port, `POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc`);
  await once(socket.resume(), 'close');
  assert.equal(taken.length, 0);
});

test('the total memory of unfinished bodies is bounded, and released', async () => {
  const { port, url } = await open({ limits: { heldBytes: 5000, bodyBytes: 4000 } });
  const drip = await raw(port, `POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n${'a'.repeat(3000)}`);
  const body = Buffer.alloc(3000, 65);
  const send = async (): Promise<number> => {
    const answer = await request(url, { method: 'POST', body, headers: signed(body) });
    await answer.body.dump();
    return answer.statusCode;
  };
  // The first 3000 bytes may still be on their way when the second request is read.
  let status = await send();
  for (let n = 0; n < 100 && status === 200; n += 1) status = await send();
  assert.equal(status, 503);
  drip.destroy();
  await once(drip, 'close');
  for (let n = 0; n < 100 && status !== 200; n += 1) status = await send();
  assert.equal(status, 200);
});

test('connections beyond the limit are closed; new ones are accepted when others end', async () => {
  const { port, url } = await open({ limits: { connections: 3 } });
  const held = [await raw(port, ''), await raw(port, ''), await raw(port, '')];
  const fourth = await raw(port, '');
  await once(fourth.resume(), 'close');
  for (const socket of held) socket.destroy();
  const body = Buffer.from('x');
  let status = 0;
  for (let n = 0; n < 100 && status !== 200; n += 1) {
    const answer = await request(url, { method: 'POST', body, headers: signed(body) }).catch(() => null);
    status = answer?.statusCode ?? 0;
  }
  assert.equal(status, 200);
});

test('no secret, or a handler that fails, is 503: nothing is accepted unverified', async () => {
  const body = Buffer.from('{}');
  const none = await open({ secrets: () => [] });
  assert.equal((await request(none.url, { method: 'POST', body, headers: signed(body) })).statusCode, 503);
  assert.equal(none.taken.length, 0);
  const broken = await open({ onDelivery: () => Promise.reject(new Error('full')) });
  const answer = await request(broken.url, { method: 'POST', body, headers: signed(body) });
  assert.deepEqual([answer.statusCode, await answer.body.text()], [503, '']);
});

test('secrets are read again for each delivery: a rotation needs no restart', async () => {
  let live = ['whsec_old'];
  const { url, refused } = await open({ secrets: () => live });
  const sender = openSender(url);
  const send = (secret: string): Promise<number> => sender.send({ id: 'evt_1' }, { secret });
  assert.equal(await send('whsec_new'), 400);
  live = ['whsec_old', 'whsec_new'];
  assert.deepEqual([await send('whsec_new'), await send('whsec_old')], [200, 200]);
  live = ['whsec_new'];
  assert.deepEqual([await send('whsec_old'), await send('whsec_new')], [400, 200]);
  assert.deepEqual(refused, ['wrong_secret', 'wrong_secret']);
});

test('under a flood of refused bodies the search for causes stops, refusing does not', async () => {
  let now = 1_000_000;
  const { url, refused } = await open({ now: () => (now += 60), limits: { explainMs: 50 } });
  const body = Buffer.from('{"a":1}');
  const { macOf } = await import('../../../src/lib/contract/signature.ts');
  const { createHmac } = await import('node:crypto');
  const bodyOnly = createHmac('sha256', SECRET).update(body).digest('hex');
  assert.notEqual(bodyOnly, macOf(SECRET, 1000, body));
  for (let n = 0; n < 3; n += 1) {
    const headers = { 'credicorp-signature': `t=1000,v1=${bodyOnly}` };
    assert.equal((await request(url, { method: 'POST', body, headers })).statusCode, 400);
  }
  assert.deepEqual(refused, ['body_only_hmac', 'wrong_secret', 'wrong_secret']);
});

test('a port in use, and a forbidden one, are usage failures that name the port', async () => {
  const { port } = await open();
  await assert.rejects(
    open({ port }),
    (error) => error instanceof Failure && error.kind === 'usage' && error.facts.code === 'port_in_use',
  );
});

test('closing finishes running requests and accepts no new ones', async () => {
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<number>();
  const { url, close } = await open({
    onDelivery: () => {
      arrived.resolve();
      return release.promise;
    },
  });
  const answer = openSender(url).send({ id: 'evt_1' });
  await arrived.promise;
  const closing = close(60_000);
  await assert.rejects(openSender(url).send({ id: 'evt_2' }));
  release.resolve(200);
  assert.equal(await answer, 200);
  await closing;
});

test('an inbox that is full refuses with 503 and says so; nothing is acknowledged that is not stored', async () => {
  const store = openInbox(undefined, 256 * 1024);
  const listening = await startListening({ store, forward: new URL('http://127.0.0.1:9/') });
  const sender = openSender(listening.url, 1);
  const body = (n: number): Buffer => Buffer.from(JSON.stringify({ id: `evt_${n}`, fill: 'x'.repeat(20_000) }));
  let acknowledged = 0;
  let status = 200;
  for (let n = 0; n < 60 && status === 200; n += 1) {
    status = await sender.send(body(n));
    if (status === 200) acknowledged += 1;
  }
  assert.equal(status, 503);
  const told = await listening.until('rejected');
  assert.deepEqual([told.cause, told.status], ['inbox_full', 503]);
  assert.equal(store.db.prepare('SELECT count(*) AS n FROM inbox_deliveries').get()?.['n'], acknowledged);
});

test('every published vector through a live receiver', async () => {
  for (const vector of signatureCases) {
    const verdicts: (SignatureVerdict | null)[] = [];
    const { url } = await open({
      now: () => vector.now * 1000,
      secrets: () => vector.secrets,
      otherSecrets: {
        environment: vector.other_environment_secrets ?? [],
        endpoint: vector.other_endpoint_secrets ?? [],
      },
      onDelivery: async (_incoming, verdict) => (verdicts.push(verdict), 200),
      onRejected: (_incoming, verdict) => void verdicts.push(verdict),
    });
    const headers = vector.header === null ? {} : { 'credicorp-signature': vector.header };
    const body = Buffer.from(vector.body_base64, 'base64');
    const answer = await request(url, { method: 'POST', headers, body });
    assert.equal(await answer.body.text(), '');
    assert.equal(answer.statusCode, vector.expected === 'valid' ? 200 : 400, vector.name);
    const [verdict] = verdicts;
    assert.ok(verdict);
    if (verdict.valid) assert.deepEqual(verdict.warnings, vector.warnings ?? [], vector.name);
    else {
      assert.deepEqual([verdict.cause, verdict.also], [vector.expected, vector.also ?? []], vector.name);
      assert.equal(verdict.skewSeconds ?? 0, vector.skew_seconds ?? 0, vector.name);
    }
  }
});
