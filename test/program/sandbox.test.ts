/** The commands about the embedded sandbox itself: reset, companies, clock, faults. In this process, on a sandbox with a port. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freshHome } from '../support/spawn.ts';
import { command, type Said } from '../support/world.ts';
import { startSandbox, type RunningSandbox } from '../support/embedded.ts';

const home = freshHome();
let sandbox: RunningSandbox;
const run = (...argv: string[]): Promise<Said> => command({ home: home.path }, ...argv);
const value = async (...argv: string[]): Promise<string> => {
  const said = await run(...argv);
  assert.equal(said.status, 0, `${argv.join(' ')}: ${said.stderr}`);
  return said.stdout.trim();
};
const json = async (...argv: string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await value(...argv, '--json')) as Record<string, unknown>;

before(async () => {
  sandbox = await startSandbox(home.path, '--seed', 'admin', '--clock-start', '2026-07-04T10:00:00Z', '--clock-frozen');
});
after(async () => {
  await sandbox.stop();
  home[Symbol.dispose]();
});

test('companies: rows, numbers, and a document that --companies takes', async () => {
  const rows = JSON.parse(await value('sandbox', 'companies', '--json')) as Record<string, unknown>[];
  assert.ok(rows.some((row) => row['number'] === '16093826' && row['effect'] === 'approve' && !('id' in row)));
  const numbers = (await value('sandbox', 'companies', '--quiet')).split('\n');
  assert.deepEqual(
    numbers,
    rows.map((row) => row['number']),
  );
});

test('the clock is shown, moved by a duration and to an instant, and never backwards', async () => {
  assert.deepEqual(await json('sandbox', 'clock'), { now: '2026-07-04T10:00:00Z', clock: 'frozen' });
  const id = await value('apps', 'create', '--company', '16093826', '--quiet');
  assert.equal(await value('apps', 'get', id, '--field', 'status'), 'created');
  const moved = await json('sandbox', 'clock', 'advance', '72h');
  assert.deepEqual([moved['now'], moved['advanced_seconds']], ['2026-07-07T10:00:00Z', 259_200]);
  // The token has aged by three days with everything else, and is minted again without a word.
  assert.equal(await value('apps', 'get', id, '--field', 'status'), 'approved');
  assert.equal(
    await value('sandbox', 'clock', 'advance', '--to', '2026-07-08T00:00:00Z', '--field', 'now'),
    '2026-07-08T00:00:00Z',
  );
  const back = await run('sandbox', 'clock', 'advance', '--to', '2026-07-01T00:00:00Z', '--json');
  assert.equal(back.status, 1);
  assert.match(back.stderr, /"code":"validation_error".*"param":"to"/);
  for (const argv of [[], ['soon'], ['1h', '--to', '2026-07-09T00:00:00Z']]) {
    assert.equal((await run('sandbox', 'clock', 'advance', ...argv)).status, 2, argv.join(' '));
  }
});

test('faults: added by typed flags, listed, met, counted down, cleared', async () => {
  const fault = await json(
    ...['sandbox', 'faults', 'add', 'error', '--status', '422', '--code', 'amount_below_minimum', '--method', 'POST'],
    ...['--path', '/partner/v1/applications', '--message', 'ordered', '--retry-after', '1500ms', '--times', '2'],
  );
  const { id, ...facts } = fault;
  assert.deepEqual(facts, {
    kind: 'error',
    match: { method: 'POST', path: '/partner/v1/applications' },
    ...{ status: 422, code: 'amount_below_minimum', message: 'ordered', retry_after: 2, delay_ms: 0 },
    ...{ probability: 1, for_ms: null, times: 2, remaining: 2 },
  });
  const met = await run('apps', 'create', '--company', '16093826', '--json');
  assert.equal(met.status, 1);
  assert.match(met.stderr, /"message":"ordered"/);
  const left = (await json('sandbox', 'faults', 'list'))['data'] as Record<string, unknown>[];
  assert.deepEqual(
    left.map((one) => [one['id'], one['remaining']]),
    [[id, 1]],
  );
  const slow = await json(
    ...['sandbox', 'faults', 'add', 'webhook_delay', '--event', 'payment.*', '--delay', '2s', '--probability', '25%'],
    ...['--for', '1h', '--times', '0'],
  );
  assert.deepEqual([slow['delay_ms'], slow['probability'], slow['for_ms'], slow['times']], [2000, 0.25, 3_600_000, 0]);
  assert.equal(await value('sandbox', 'faults', 'clear', String(id), '--quiet'), id);
  assert.equal(await value('sandbox', 'faults', 'list', '--quiet'), slow['id']);
  await value('sandbox', 'faults', 'clear');
  const none = await run('sandbox', 'faults', 'list');
  assert.deepEqual([none.status, none.stdout], [0, '']);
  assert.equal((await run('sandbox', 'faults', 'clear', 'flt_nothere')).status, 3);
});

test('an invalid fault is a usage error, and nothing is sent', async () => {
  for (const argv of [[], ['explode'], ['error', '--status', '200'], ['latency', '--probability', '2']]) {
    const said = await run('sandbox', 'faults', 'add', ...argv);
    assert.deepEqual([said.status, said.stdout], [2, ''], argv.join(' '));
  }
});

test('reset empties it, with another seed, and keeps endpoints on request', async () => {
  await value('apps', 'create', '--company', '16093826', '--quiet');
  const health = await json('sandbox', 'reset', '--seed', 'other', '--keep-endpoints');
  assert.deepEqual([health['seed'], (health['counts'] as Record<string, unknown>)['applications']], ['other', 0]);
  assert.equal(await value('sandbox', 'reset', '--field', 'seed'), 'other');
});

test('without a sandbox the answer is how to start one; another machine is never asked', async () => {
  using other = freshHome();
  const none = await command({ home: other.path }, 'sandbox', 'clock');
  assert.equal(none.status, 6);
  assert.match(none.stderr, /no sandbox is running[\s\S]*credicorp sandbox start/);
  const far = await command({ home: other.path }, 'sandbox', 'clock', '--api-base', 'https://api.credicorp.co.uk');
  assert.equal(far.status, 2);
  const named = await command({ home: other.path }, 'sandbox', 'clock', '--field', 'clock', '--api-base', sandbox.url);
  assert.deepEqual([named.status, named.stdout], [0, 'frozen\n']);
});
