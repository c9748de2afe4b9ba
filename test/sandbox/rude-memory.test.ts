/** What rude clients leave behind: nothing. A file of its own, because it looks at the whole process. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { OAuthProblemBody, ProblemBody } from '../../src/lib/contract/problem-shape.ts';
import { DROPPED, type Outgoing } from '../../src/lib/sandbox/http/call.ts';
import { serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { incoming } from './generated.ts';
import { bench } from './support.ts';

const MB = 1_048_576;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes in use once the garbage is gone. */
async function inUse(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

test('20,000 generated requests get a clean answer each, never a 500, and the second half leaves less than 2 MB behind', async () => {
  const { sandbox, call, create } = bench();
  const sendHalf = async (): Promise<number> => {
    const each = fc.asyncProperty(incoming, async (request) => clean(await sandbox.handle(request)));
    await fc.assert(each, { numRuns: 10_000 });
    assert.equal(({} as Record<string, unknown>)['amount_pence'], undefined);
    assert.equal((await create()).status, 201);
    // What was created and kept by right goes; what a request left beside it would stay.
    await call('POST', '/_sandbox/reset');
    return inUse();
  };
  const before = await sendHalf();
  const after = await sendHalf();
  assert.ok(after - before < 2 * MB, `${((after - before) / MB).toFixed(1)} MB`);
});

function clean(answer: Outgoing): void {
  assert.ok(answer !== DROPPED);
  assert.ok(answer.status >= 200 && answer.status < 500, `${answer.status} ${answer.body}`);
  assert.match(answer.headers['Credicorp-Request-Id'] ?? '', /^req_[0-9A-Za-z]{12}$/);
  assert.ok(answer.headers['RateLimit-Limit']);
  if (answer.status < 400 || answer.headers['Content-Type']?.startsWith('text/html')) return;
  const document = JSON.parse(answer.body);
  const { error } = document;
  // The schemas that the OpenAPI document shows.
  const shape = typeof error === 'string' ? OAuthProblemBody : ProblemBody;
  assert.ok(shape.safeParse(document).success, answer.body);
  // The ids inside a replayed body stay those of the first call.
  const replayed = answer.headers['Idempotency-Replayed'] === 'true';
  if (typeof error === 'object' && !replayed) assert.equal(error.request_id, answer.headers['Credicorp-Request-Id']);
}

/** Handles of this process: sockets, timers. */
function held(kind: string): number {
  return process.getActiveResourcesInfo().filter((name) => name === kind).length;
}

test('drippers, header floods, 20 MB bodies and broken-off requests leave no socket, no timer and no heap', async () => {
  const { url, close } = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    version: '0',
    seed: 'ci',
    now: Date.now,
    rateLimit: false,
    patienceMs: 200,
  });
  const port = Number(new URL(url).port);
  const open = (): Socket => {
    const socket = connect(port, '127.0.0.1');
    // A server that has had enough may reset the connection.
    socket.on('error', () => {});
    return socket.resume();
  };
  const begin = 'POST /partner/v1/applications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_local\r\n';
  const rudeWave = async (): Promise<void> => {
    const drippers = Array.from({ length: 100 }, open);
    for (const [i, socket] of drippers.entries()) {
      // Half of them never end their headers, the others never end their body.
      socket.write(i % 2 === 0 ? begin : `${begin}Content-Length: 500\r\n\r\n{`);
    }
    const floods = Array.from({ length: 50 }, open);
    for (const socket of floods) socket.end(begin + 'X-Flood: y\r\n'.repeat(5000));
    const heavy = Array.from({ length: 4 }, open);
    for (const [i, socket] of heavy.entries()) {
      const kind = i % 2 === 0 ? `Content-Length: ${20 * MB}\r\n\r\n` : 'Transfer-Encoding: chunked\r\n\r\n1400000\r\n';
      socket.write(`${begin}${kind}`);
      socket.end(Buffer.alloc(20 * MB, 'x'));
    }
    const broken = Array.from({ length: 100 }, open);
    for (const socket of broken) socket.write(`${begin}Content-Length: 500\r\n\r\n{"a`, () => socket.destroy());
    await Promise.all(
      [...drippers, ...floods, ...heavy, ...broken].map((socket) => new Promise((gone) => socket.on('close', gone))),
    );
    // The other ends are in this process too, and may need a moment more.
    for (let i = 0; i < 200 && held('TCPSocketWrap') > 0; i++) await sleep(10);
  };
  await rudeWave();
  const before = { heap: await inUse(), sockets: held('TCPSocketWrap'), timers: held('Timeout') };
  await rudeWave();
  await rudeWave();
  const after = { heap: await inUse(), sockets: held('TCPSocketWrap'), timers: held('Timeout') };
  assert.deepEqual([after.sockets, before.sockets], [0, 0]);
  assert.ok(after.timers <= before.timers, `${before.timers} timers, then ${after.timers}`);
  assert.ok(after.heap - before.heap < 2 * MB, `${((after.heap - before.heap) / MB).toFixed(1)} MB`);
  assert.equal((await fetch(`${url}/public/v1/healthz`)).status, 200);
  await close();
});
