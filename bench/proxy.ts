/**
 * What recording costs: the time that `proxy start` adds to a call, against a bare pass-through proxy (node:http in and out, keeps
 * nothing) in the same run and in turns. Reads, and writes with a body; one caller at a time. `npm run bench:proxy`
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';

const GOAL_MS = 1.5;
const ROUNDS = 10;
const CALLS = 300;
const folder = mkdtempSync(join(tmpdir(), 'credicorp-bench-'));
const answer = JSON.stringify({
  id: 'app_8Kd2c9Qm',
  status: 'created',
  amount_pence: 2_500_000,
  fill: 'x'.repeat(800),
});
const host = createServer((request, response) => {
  request.resume();
  request.on('end', () =>
    response
      .writeHead(200, {
        'content-type': 'application/json',
        'credicorp-request-id': 'req_7Hs2bV9k4LmQ',
        'ratelimit-remaining': '49',
      })
      .end(answer),
  );
}).listen(0, '127.0.0.1');
await once(host, 'listening');
const address = host.address();
const target = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';

interface Side {
  child: ChildProcess | null;
  pool: Pool;
  times: number[];
}

async function start(side: 'bare' | 'ours'): Promise<Side> {
  const execArgv = ['--no-warnings'];
  const child = fork(new URL('./proxy-side.ts', import.meta.url), [side, target, join(folder, 'store.db')], {
    execArgv,
  });
  const [message] = await once(child, 'message');
  return { child, pool: new Pool(String(message.url), { connections: 1 }), times: [] };
}

const body = JSON.stringify({ business: { company_number: '16093826' }, amount_pence: 2_500_000, term_months: 12 });
const headers = {
  authorization: 'Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjaWRfc2J4In0.c2lnbmF0dXJl',
  'content-type': 'application/json',
};

/** Milliseconds from the sending to the last byte of the answer. */
async function call({ pool }: Side, write: boolean): Promise<number> {
  const path = '/partner/v1/applications';
  const began = performance.now();
  const got = await pool.request(write ? { method: 'POST', path, headers, body } : { method: 'GET', path, headers });
  await got.body.dump();
  return performance.now() - began;
}

const direct: Side = { child: null, pool: new Pool(target, { connections: 1 }), times: [] };
const sides = { direct, bare: await start('bare'), ours: await start('ours') };
for (const side of Object.values(sides)) for (let n = 0; n < 1000; n += 1) await call(side, n % 2 === 0);
// In turns, so that a busy machine is unfair to all.
for (let round = 0; round < ROUNDS; round += 1) {
  for (const side of Object.values(sides))
    for (let n = 0; n < CALLS; n += 1) side.times.push(await call(side, n % 2 === 0));
}
const part = ({ times }: Side, share: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? NaN;
for (const [name, share] of [
  ['p50', 0.5],
  ['p99', 0.99],
] as const) {
  const [straight, bare, ours] = [part(sides.direct, share), part(sides.bare, share), part(sides.ours, share)];
  const goal = name === 'p50' ? `  (goal ${GOAL_MS} ms)` : '';
  const line = `${name}  direct ${straight.toFixed(2)} ms  bare ${bare.toFixed(2)} ms  ours ${ours.toFixed(2)} ms  added ${(ours - bare).toFixed(2)} ms${goal}`;
  process.stdout.write(`${line}\n`);
}
for (const { child, pool } of Object.values(sides)) {
  child?.kill();
  await pool.destroy();
}
host.close();
host.closeAllConnections();
rmSync(folder, { recursive: true, force: true });
