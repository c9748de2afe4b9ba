/** Lists page by page: resumable, also from where one failed. How much memory a long one takes: lists.alone.ts. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { finish, freshHome, root, start } from '../support/spawn.ts';
import { onTerminal } from '../support/terminal.ts';

const home = freshHome();
let api: Served;
let env: Record<string, string>;

before(async () => {
  api = await serveSandbox({
    ...{ host: '127.0.0.1', port: 0, seed: 'lists', version: '0', now: Date.now },
    ...{ tier: 'scale', rateLimit: false, autoSubmit: false },
  });
  env = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url };
  const body = Buffer.from('{"amount_pence":2500000,"term_months":12,"business":{"company_number":"16093826"}}');
  const create = { method: 'POST', path: '/partner/v1/applications', query: '', headers: { host: 'x' }, body };
  for (let n = 0; n < 500; n += 1) {
    await api.sandbox.handle({ ...create, authorization: 'Bearer sk_test_local', peer: '127.0.0.1' });
  }
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

test('a cursor can be saved and resumed, page by page', async () => {
  const one = await runInside(['apps', 'list', '--limit', '3', '--json'], env);
  const page = JSON.parse(one.stdout) as { data: { id: string }[]; next_cursor: string; has_more: boolean };
  assert.deepEqual([page.data.length, page.has_more], [3, true]);
  const two = await runInside(['apps', 'list', '--limit', '3', '-q', '--cursor', page.next_cursor], env);
  const both = await runInside(['apps', 'list', '--limit', '6', '-q'], env);
  assert.equal(page.data.map(({ id }) => `${id}\n`).join('') + two.stdout, both.stdout);
  const made = await runInside(['apps', 'list', '--cursor', 'bm9uc2Vuc2U'], env);
  assert.equal(made.status, 1, 'a cursor nobody gave');
  const all = await runInside(['apps', 'list', '--all', '--cursor', 'bm9uc2Vuc2U'], env);
  assert.equal(all.status, 1);
  assert.doesNotMatch(all.stderr, /resume/);
});

test('the terminal shows that there are more pages, also when the output is piped', async () => {
  const line = `'${process.execPath}' '${root}/bin/run.js' apps list --limit 2 -q | wc -l`;
  const terminal = onTerminal(['bash', '-c', line], env);
  assert.equal(await terminal.ended(), 0);
  assert.match(terminal.text, /^there are more items: use --all for all of them, or --cursor \w+ for the next page$/m);
  assert.match(terminal.text, /^2$/m);
  const quiet = await runInside(['apps', 'list', '--limit', '2', '-q'], env);
  assert.equal(quiet.stderr, '');
});

test('filters go to the API, and an empty list is ok', async () => {
  const ids = async (...flags: string[]): Promise<number> => {
    const ended = await runInside(['apps', 'list', '--limit', '3', '-q', ...flags], env);
    assert.equal(ended.status, 0, ended.stderr);
    return ended.stdout.split('\n').length - 1;
  };
  assert.deepEqual(
    [
      await ids('--status', 'created'),
      await ids('--status', 'approved'),
      await ids('--created-after', '1d'),
      await ids('--created-after', '2999-01-01'),
      await ids('--status', 'created', '--created-after', '2001-01-01T00:00:00Z'),
    ],
    [3, 0, 3, 0, 3],
  );
});

test('a page that fails in the middle: the status of the failure, and the cursor to go on from', async () => {
  const fault = { kind: 'error', status: 503, times: 0, match: { path: '/partner/v1/applications' } };
  const child = start('bin/run.js', ['apps', 'list', '--all', '--limit', '2', '--json', '--max-retries', '0'], env);
  child.stdout.once('data', () => {
    void fetch(`${api.url}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(fault) });
  });
  const ended = await finish(child);
  await fetch(`${api.url}/_sandbox/faults`, { method: 'DELETE' });
  assert.equal(ended.status, 6);
  const { error } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as {
    error: { kind: string; cursor: string };
  };
  assert.equal(error.kind, 'unavailable');
  const before = ended.stdout.split('\n').filter(Boolean);
  const next = await runInside(['apps', 'list', '--limit', '1', '--json', '--cursor', error.cursor], env);
  const [item] = (JSON.parse(next.stdout) as { data: { id: string }[] }).data;
  const whole = await runInside(['apps', 'list', '--limit', '1', '-q', '--json', '--cursor', error.cursor], env);
  assert.equal(whole.status, 2, '--json and --quiet exclude each other');
  assert.ok(before.length > 0 && before.every((text) => !text.includes(item?.id ?? '')), 'nothing twice');
});
