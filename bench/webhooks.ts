/**
 * What checking, storing and forwarding a delivery costs, against a bare pass-through proxy (node:http in, undici out, no check,
 * no store) in the same run: rate, time added from the sender to the app at 300 deliveries a second, and memory over many
 * deliveries. `npm run bench:webhooks [-- deliveries]`; with TMPDIR on a memory file system it shows what is ours and not the disk's.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Pool } from 'undici';
import { signatureHeader } from '../src/lib/contract/signature.ts';

const SECRET = 'whsec_bench';
/** The first half includes what V8 collects late; whether it stays flat, the second hundred thousand tell. */
const many = Number(process.argv[2] ?? 200_000);
const folder = mkdtempSync(join(tmpdir(), 'credicorp-bench-'));
const children: ChildProcess[] = [];
// However it ends, nothing of it stays.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** When the app got the event with this number, in milliseconds. */
const arrivals = new Map<number, number>();
let arrived = 0;
const app = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    arrived += 1;
    arrivals.set(Number(request.headers['x-number']), performance.now());
    response.end('ok');
  });
}).listen(0, '127.0.0.1');
await once(app, 'listening');
const address = app.address();
const target = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}/hook` : '';

interface Side {
  child: ChildProcess;
  url: string;
}

async function start(side: 'bare' | 'ours'): Promise<Side> {
  const child = fork(
    new URL('./webhooks-side.ts', import.meta.url),
    [side, target, join(folder, side, 'store.db'), SECRET],
    {
      execArgv: ['--no-warnings'],
    },
  );
  children.push(child);
  const [message] = await once(child, 'message');
  return { child, url: String(message.url) };
}

let number = 0;
async function deliver(pool: Pool, path: string): Promise<number> {
  number += 1;
  const body = Buffer.from(
    JSON.stringify({
      id: `evt_${number}`,
      type: 'application.updated',
      created: '2026-07-04T10:00:00Z',
      data: { application_id: `app_${number % 50}`, object: { id: `app_${number % 50}`, fill: 'x'.repeat(600) } },
    }),
  );
  const headers = {
    'content-type': 'application/json',
    'credicorp-signature': signatureHeader({ secrets: [SECRET], t: Math.floor(Date.now() / 1000), body }),
    'credicorp-delivery': `whd_${number}`,
    'x-number': String(number),
  };
  const mine = number;
  const answer = await pool.request({ method: 'POST', path, headers, body });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`);
  return mine;
}

const outstanding = (goal: number): boolean => arrived < goal;

/** Deliveries a second that reach the app, with 16 senders that wait for their answers. */
async function rate(side: Side, count: number): Promise<number> {
  const pool = new Pool(new URL(side.url).origin, { connections: 16 });
  const began = performance.now();
  const before = arrived;
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await deliver(pool, new URL(side.url).pathname);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  while (outstanding(before + count)) await wait(1);
  await pool.destroy();
  return (count * 1000) / (performance.now() - began);
}

/** Milliseconds from the sender to the app, with deliveries that start every 1/300 s whatever becomes of the others. */
async function delays(side: Side, seconds: number): Promise<number[]> {
  const pool = new Pool(new URL(side.url).origin, { connections: 64 });
  const { pathname } = new URL(side.url);
  const started: Promise<[number, number]>[] = [];
  const began = performance.now();
  for (let n = 0; n < seconds * 300; n += 1) {
    const due = began + (n * 1000) / 300;
    if (due > performance.now()) await wait(due - performance.now());
    const at = performance.now();
    started.push(deliver(pool, pathname).then((mine) => [mine, at]));
  }
  const sent = await Promise.all(started);
  while (sent.some(([mine]) => !arrivals.has(mine))) await wait(5);
  await pool.destroy();
  return sent.map(([mine, at]) => (arrivals.get(mine) ?? 0) - at).sort((a, b) => a - b);
}

const part = (sorted: number[], share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;

/** Milliseconds the disk takes to make four kilobytes safe: what nobody who promises that can do without. */
async function diskTimes(): Promise<number[]> {
  const file = await open(join(folder, 'disk'), 'w');
  const took: number[] = [];
  for (let n = 0; n < 300; n += 1) {
    await file.write(Buffer.alloc(4096));
    const began = performance.now();
    await file.datasync();
    took.push(performance.now() - began);
    await wait(3);
  }
  await file.close();
  return took.sort((a, b) => a - b);
}

async function rss(side: Side): Promise<number> {
  side.child.send({});
  const [message] = await once(side.child, 'message');
  return Number(message.rss) / 1024 / 1024;
}

const bare = await start('bare');
const ours = await start('ours');
for (const side of [bare, ours]) await rate(side, 2000);

// In turns, so that a busy machine is unfair to both.
const rates = { bare: [] as number[], ours: [] as number[] };
for (let round = 0; round < 5; round += 1) {
  rates.bare.push(await rate(bare, 4000));
  rates.ours.push(await rate(ours, 4000));
}
const middle = (list: number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
const [bareRate, oursRate] = [middle(rates.bare), middle(rates.ours)];
print(
  `rate      bare ${bareRate.toFixed(0)}/s  ours ${oursRate.toFixed(0)}/s  ratio ${(oursRate / bareRate).toFixed(2)}  (goal 0.50)`,
);

const times = {
  bare: { p50: [] as number[], p99: [] as number[] },
  ours: { p50: [] as number[], p99: [] as number[] },
};
for (let round = 0; round < 5; round += 1) {
  for (const [name, side] of Object.entries({ bare, ours }) as ['bare' | 'ours', Side][]) {
    const sorted = await delays(side, 2);
    times[name].p50.push(part(sorted, 0.5));
    times[name].p99.push(part(sorted, 0.99));
  }
}
for (const [name, goal] of [
  ['p50', 2],
  ['p99', 10],
] as const) {
  const [a, b] = [middle(times.bare[name]), middle(times.ours[name])];
  print(
    `${name} 300/s bare ${a.toFixed(2)} ms  ours ${b.toFixed(2)} ms  added ${(b - a).toFixed(2)} ms  (goal ${goal} ms)`,
  );
}

const disk = await diskTimes();
print(
  `disk      p50 ${part(disk, 0.5).toFixed(2)} ms  p99 ${part(disk, 0.99).toFixed(2)} ms for a datasync, which ours waits for`,
);

const steps: number[] = [await rss(ours)];
for (let done = 0; done < many; done += many / 10) {
  await rate(ours, many / 10);
  arrivals.clear();
  steps.push(await rss(ours));
}
const [first = 0, second = 0] = [steps.slice(1, 6), steps.slice(6)].map((half) => Math.max(...half));
print(
  `memory    ${steps.map((mb) => mb.toFixed(0)).join(' ')} MiB over ${many} deliveries; second half to first ${(second / first).toFixed(2)}  (flat is 1.00)`,
);
process.exit(0);
