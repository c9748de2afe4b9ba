/** What is sent to the token plane is repeated: nothing but a token comes of a grant. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { createSendWithoutCredential } from '../../src/lib/api/client.ts';
import { createTransport, type Transport } from '../../src/lib/api/transport.ts';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { Failure } from '../../src/lib/failure.ts';
import { answer, type RudeServer, startRudeServer } from '../support/rude-server.ts';

let rude: RudeServer;
let transport: Transport;
before(async () => {
  rude = await startRudeServer();
  transport = createTransport({ timeoutMs: 500 });
});
after(async () => {
  await transport.close();
  await rude.close();
});

function setUp() {
  const records: ExchangeRecord[] = [];
  const waits: string[] = [];
  let skipped = 0;
  const send = createSendWithoutCredential({
    send: transport.send,
    now: () => Date.now() + skipped,
    random: () => 0.5,
    sleep: async (ms) => void (skipped += ms),
    signal: new AbortController().signal,
    maxRetries: 3,
    timeoutMs: 15_000,
    record: (record) => records.push(record),
    environment: 'local',
    onWait: ({ reason, ms }) => waits.push(`${reason} ${ms}`),
  });
  return { send, records, waits };
}

const grant = (path: string) => ({
  method: 'POST',
  url: rude.origin + path,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: 'grant_type=client_credentials',
});

it('a grant that met a 429, a 503 and a cut connection comes through', async () => {
  const steps = [answer(429, '', { 'retry-after': '2' }), answer(503), null, answer(200, '{"access_token":"t"}')];
  let count = 0;
  rude.on('/token', (socket) => {
    const step = steps[count++];
    if (step === null) socket.resetAndDestroy();
    else socket.write(step ?? '');
  });
  const { send, records, waits } = setUp();
  assert.equal((await send(grant('/token'))).status, 200);
  assert.deepEqual(
    records.map(({ attempt, status }) => [attempt, status]),
    [
      [1, 429],
      [2, 503],
      [3, null],
      [4, 200],
    ],
  );
  assert.equal(waits[0], '429 2125');
});

it('a refusal is final, and so is what no try can cure', async () => {
  let count = 0;
  rude.on('/refused', (socket) => {
    count += 1;
    socket.write(answer(401, '{"error":"invalid_client"}'));
  });
  assert.equal((await setUp().send(grant('/refused'))).status, 401);
  assert.equal(count, 1);
  const nobody = setUp();
  await assert.rejects(
    nobody.send({ ...grant('/'), url: 'http://127.0.0.1:1/' }),
    (error: unknown) => error instanceof Failure && error.facts.code === 'nothing_listening',
  );
  assert.equal(nobody.records.length, 1);
});
