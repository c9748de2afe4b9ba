/** Waits that the API asks for: told in words and numbers, left to the user when they are long, and never more than a timer can hold. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sleep } from '../../src/lib/api/retry.ts';
import { durationAbove, timerMs, waitText } from '../../src/lib/contract/time.ts';
import { command, type Said, type World } from '../support/world.ts';

const home = mkdtempSync(join(tmpdir(), 'waits-'));
let server: Server;
let world: World;
/** Answers the next requests; then everything is created. */
const script: ((response: ServerResponse) => void)[] = [];
let calls = 0;

before(async () => {
  server = createServer((request, response) => {
    request.resume();
    calls += 1;
    const next = script.shift();
    if (next) next(response);
    else
      response.writeHead(201, { 'content-type': 'application/json' }).end(`{"id":"app_${calls}","status":"created"}`);
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  world = { home, env: { CC_SECRET_KEY: 'sk_test_local', CC_BASE: `http://127.0.0.1:${port}` }, random: () => 0 };
});
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(home, { recursive: true });
});

const run = (...argv: string[]): Promise<Said> => command(world, ...argv);
const slowDown =
  (seconds: number, status = 429) =>
  (response: ServerResponse): void =>
    void response
      .writeHead(status, { 'content-type': 'application/json', 'retry-after': String(seconds) })
      .end(
        '{"error":{"type":"rate_limit_error","code":"rate_limit_exceeded","message":"too many","request_id":"req_Slow1"}}',
      );

test('a single call: a wait of 90 s is not waited for, and it says with which flag it would be', async () => {
  script.push(slowDown(90));
  const ended = await run('apps', 'get', 'app_1');
  assert.equal(ended.status, 5);
  assert.match(ended.stderr, /asked to wait 90 s; longer than 60 s is not waited for, --max-wait 2m waits/);
  script.push(slowDown(3));
  const short = await run('apps', 'get', 'app_1', '--max-wait', '2s');
  assert.match(short.stderr, /asked to wait 3 s; longer than 2 s is not waited for/);
});

test('a wait of 2 s is called 2 s, and --max-wait allows more than a minute', async () => {
  script.push(slowDown(2));
  const random = (): number => 0.99;
  const waited = await command({ ...world, random }, 'apps', 'get', 'app_1');
  assert.deepEqual([waited.status, waited.stderr], [0, '429: trying again in 2 s (try 2)\n']);
});

for (const seconds of [3600, 5_000_000]) {
  test(`--from: Retry-After ${seconds} ends the run with what is done, and the same command finishes`, async () => {
    const file = join(home, `${seconds}.csv`);
    const rows = Array.from({ length: 12 }, (_, n) => `16093826,${1000 + n}`);
    writeFileSync(file, `company,amount\n${rows.join('\n')}\n`);
    const create = (): Promise<Said> =>
      run('apps', 'create', '--from', file, '--concurrency', '1', '--max-retries', '0', '--json');
    script.push((response) => void response.writeHead(201).end('{"id":"app_a","status":"created"}'), slowDown(seconds));
    const before = calls;
    const broken = await create();
    assert.equal(broken.status, 5);
    assert.equal(calls - before, 2, 'nothing more was sent');
    const lines = broken.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('rows without'));
    assert.equal(lines.length, 2, broken.stderr);
    assert.match(
      lines[0] ?? '',
      /^asked to wait (3600 s \(1 h\)|5000000 s \(57\.9 days\)); longer than 60 s is not waited for, --max-wait (1h|58d) waits$/,
    );
    assert.match(lines[1] ?? '', /^1 of 12 created; 1 failed; 10 not finished: run the same command again$/);
    const finished = await create();
    assert.equal(finished.status, 0, finished.stderr);
    assert.equal(finished.stdout.trim().split('\n').length, 12);
  });
}

test('a wait of the rate limiter is reported once, not once for each row', async () => {
  const file = join(home, 'told.csv');
  writeFileSync(file, 'company,amount\n16093826,1\n16093826,2\n16093826,3\n16093826,4\n');
  script.push(slowDown(3));
  const ended = await run('apps', 'create', '--from', file, '--json', '--concurrency', '4', '--term', '12');
  assert.equal(ended.status, 0, ended.stderr);
  assert.equal(ended.stderr.match(/ in 3 s/g)?.length, 1, ended.stderr);
});

test('no timer is given more than it can hold', async () => {
  assert.deepEqual([timerMs(-1), timerMs(1.2), timerMs(1e12)], [0, 2, 2 ** 31 - 1]);
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  const controller = new AbortController();
  let over = false;
  const sleeping = sleep(5_000_000_000, controller.signal).then(
    () => (over = true),
    () => undefined,
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort();
  await sleeping;
  process.off('warning', onWarning);
  assert.deepEqual([over, warnings], [false, []]);
});

test('waits in words and numbers', () => {
  assert.deepEqual(
    [400, 2249, 90_000, 119_000, 120_000, 3_600_000, 5_000_000_000].map((ms) => waitText(ms)),
    ['1 s', '2 s', '90 s', '119 s', '120 s (2 min)', '3600 s (1 h)', '5000000 s (57.9 days)'],
  );
  assert.deepEqual(
    [1000, 90_000, 3_600_000, 3_601_000, 5_000_000_000].map((ms) => durationAbove(ms)),
    ['1m', '2m', '1h', '2h', '58d'],
  );
});

test('a decision in progress that came with 200 is not called a 409', async () => {
  const said: Record<number, unknown> = {};
  for (const status of [200, 409]) {
    const body =
      status === 200
        ? { id: 'dec_1', application_id: 'app_1', status: 'pending' }
        : { error: { type: 'x', code: 'decision_pending', message: 'm' } };
    script.push(
      (response) => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    );
    const ended = await run('decisions', 'get', 'dec_1', '--json');
    const { error } = JSON.parse(ended.stderr) as { error: { status?: number; code: string; last?: unknown } };
    assert.deepEqual([ended.status, error.code], [1, 'decision_not_ready']);
    said[status] = [error.status, error.last === undefined];
  }
  assert.deepEqual(said, { 200: [undefined, false], 409: [409, true] });
});
