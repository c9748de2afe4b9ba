/** `--wait` beside a running listener: what it hears wakes the poll. And what is left to know when a wait ends otherwise than well. */
import assert from 'node:assert/strict';
import { once, EventEmitter } from 'node:events';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { receive, smallApp } from '../support/receiving.ts';
import { finish, freshHome, start } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';

const home = freshHome();
const polls = new EventEmitter();
let api: Served;
let env: Record<string, string>;

before(async () => {
  api = await serveSandbox({
    ...{ host: '127.0.0.1', port: 0, seed: 'waits', version: '0', now: Date.now, clock: { frozen: true } },
    record: ({ method, path }) => {
      if (method === 'GET' && /\/(applications|decisions)\/app_/.test(path)) polls.emit('poll', performance.now());
    },
  });
  env = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url };
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

async function nextPoll(): Promise<number> {
  const [at] = (await once(polls, 'poll')) as [number];
  return at;
}

async function timeGoesOn(): Promise<void> {
  const url = `${api.url}/_sandbox/clock/advance`;
  assert.equal((await fetch(url, { method: 'POST', body: '{"by":"1m"}' })).status, 200);
}

test('while a listener runs, the poll follows what it receives', async () => {
  const app = await smallApp();
  const listening = receive({ home: home.path, env }, '--forward', app.url);
  await listening.next('ready');
  const command = ['apps', 'create', '--company', '16093826', '--amount', '25000', '--term', '12', '--wait', '--json'];
  const ended = finish(start('bin/run.js', command, env));
  const times: number[] = [];
  while (times.length < 5) times.push(await nextPoll());
  const usual = (times[4] ?? 0) - (times[3] ?? 0);
  const woken = nextPoll();
  const went = performance.now();
  await timeGoesOn();
  const late = (await woken) - went;
  // The next pause would be half as long again as the last one.
  assert.ok(
    late < usual * 0.75,
    `looked after ${Math.round(late)} ms, where the pause before took ${Math.round(usual)}`,
  );
  const { status, stdout } = await ended;
  assert.deepEqual([status, (JSON.parse(stdout) as { status: string }).status], [0, 'approved']);
  assert.equal(await listening.stop(), 0);
  await app.close();
});

test('whatever ends a wait, the object that was made is named', async () => {
  const create = ['apps', 'create', '--company', '16093826', '--amount', '25000', '--term', '12', '--wait'];
  const stopped = start('bin/run.js', create, env);
  void nextPoll().then(() => setTimeout(() => stopped.kill('SIGINT'), 50));
  const interrupted = await finish(stopped);
  assert.deepEqual([interrupted.status, interrupted.stdout], [130, '']);
  assert.match(interrupted.stderr, /stopped waiting for application app_\w+: created/);
  const fault = { kind: 'error', status: 503, times: 0, match: { path: '/partner/v1/applications/*' } };
  await fetch(`${api.url}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(fault) });
  const lost = await runInside([...create, '--max-retries', '0'], env);
  await fetch(`${api.url}/_sandbox/faults`, { method: 'DELETE' });
  assert.deepEqual([lost.status, lost.stdout], [6, '']);
  assert.match(lost.stderr, /stopped waiting for application app_\w+: status unknown/);
});

test('how long a link can be paid counts on the clock of the sandbox', async () => {
  assert.equal(
    (await fetch(`${api.url}/_sandbox/clock/advance`, { method: 'POST', body: '{"by":"400d"}' })).status,
    200,
  );
  const { now } = (await (await fetch(`${api.url}/_sandbox/health`)).json()) as { now: string };
  const link = ['payments', 'link', '--amount', '10', '--reference', 'R', '--field', 'expires_at'];
  const soon = await runInside([...link, '--expires-in', '1h'], env);
  assert.equal(Date.parse(soon.stdout.trim()), Date.parse(now) + 3_600_000, soon.stderr);
  const over = await runInside([...link, '--expires-at', new Date(Date.now() + 86_400_000).toISOString()], env);
  assert.equal(over.status, 2);
  assert.match(over.stderr, new RegExp(`is in the past: the server's time is ${now.slice(0, 10)}`));
});

test('on a terminal a spinner shows the state while it lasts, and the end is printed once', async () => {
  const command = ['apps', 'create', '--company', '16093826', '--amount', '25000', '--term', '12', '--wait'];
  const terminal = openTerminal(command, env);
  await terminal.shows(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] waiting for application app_\w+: created/);
  await timeGoesOn();
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.equal([...terminal.text.matchAll(/^status +approved$/gm)].length, 1);
  // What is left on the screen: the spinner has taken its line back.
  const left = terminal.raw.split('\u001b[K').at(-1) ?? '';
  assert.doesNotMatch(left, /waiting/);
});
