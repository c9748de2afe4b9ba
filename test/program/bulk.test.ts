/** Many from a file: checked whole before anything is sent, in order, and finished by running it again, even after kill -9. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { type Ended, finish, freshHome, start } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';

const home = freshHome();
let api: Served;
let env: Record<string, string>;

before(async () => {
  api = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    seed: 'bulk',
    version: '0',
    now: Date.now,
    autoSubmit: false,
  });
  env = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url };
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

interface Line {
  row: number;
  line: number;
  ok: boolean;
  id: string | null;
  replayed: boolean;
  idempotency_key: string;
  error?: { kind: string; code: string };
}

const run = (...args: string[]): Promise<Ended> => runInside(args, env);
const piped = (input: string, ...args: string[]): Promise<Ended> => runInside(args, env, input);
const lines = (ended: Ended): Line[] =>
  ended.stdout
    .split('\n')
    .filter(Boolean)
    .map((text) => JSON.parse(text) as Line);

function file(name: string, text: string): string {
  const path = join(home.path, name);
  writeFileSync(path, text);
  return path;
}

async function applications(): Promise<{ id: string; reference: string | null }[]> {
  const ended = await run('apps', 'list', '--all', '--json');
  return ended.stdout
    .split('\n')
    .filter(Boolean)
    .map((text) => JSON.parse(text) as { id: string; reference: string | null });
}

test('all mistakes in all rows are reported together with their lines, and nothing is sent', async () => {
  const rows = 'compny,amount,company\n16093826,12.5,x\n"a\nb",1\n16093826,10,00000401\n';
  const ended = await piped(rows, 'apps', 'create', '--from', '-', '--json');
  assert.deepEqual([ended.status, ended.stdout], [2, '']);
  const { error } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as {
    error: { details: { param: string; message: string }[] };
  };
  assert.deepEqual(
    error.details.map(({ param }) => param),
    ['line 1', 'line 2', 'line 2', 'line 3'],
  );
  assert.match(error.details[0]?.message ?? '', /did you mean company/);
  const plain = await piped(rows, 'apps', 'create', '--from', '-');
  assert.match(plain.stderr, /^line 2: amount: "12\.5" is not an amount in pounds/m);
  assert.match(plain.stderr, /4 mistakes; nothing was sent/);
  assert.deepEqual(await applications(), []);
  for (const [input, says] of [
    ['', /no rows/],
    ['company;amount\n16093826;1\n', /separated by semicolons or tabs/],
    ['company\n"16093826', /line 2: a quote/],
    ['{"company":"16093826"}\n[1]\n', /line 2: not a JSON object/],
    ['company,amount,amount-pence\n16093826,1,100\n', /line 2: the row has both amount and amount-pence/],
  ] as const) {
    const wrong = await piped(input, 'apps', 'create', '--from', '-');
    assert.equal(wrong.status, 2, input);
    assert.match(wrong.stderr, says);
  }
  assert.equal((await run('apps', 'create', '--from', join(home.path, 'nowhere.csv'))).status, 2);
});

test('results in the order of the rows, the status of the worst, rejects ready to be run again', async () => {
  const path = file(
    'mixed.csv',
    'company,amount,term,reference,metadata.shop\n16093826,"25,000",12,a,7\n00000411,30000,24,b,7\n00000401,30000,24,c,\n00000401,30000,24,c,\n16093826,500,24,d,\n',
  );
  const rejects = join(home.path, 'rejects.csv');
  const first = await run('apps', 'create', '--from', path, '--rejects', rejects, '--json');
  assert.equal(first.status, 1);
  const got = lines(first);
  assert.deepEqual(
    got.map(({ row, line, ok }) => [row, line, ok]),
    [
      [1, 2, true],
      [2, 3, false],
      [3, 4, true],
      [4, 5, true],
      [5, 6, false],
    ],
  );
  assert.deepEqual([got[1]?.error?.code, got[4]?.error?.code], ['company_not_found', 'amount_below_minimum']);
  assert.notEqual(got[2]?.id, got[3]?.id, 'equal rows are two applications');
  assert.match(first.stderr, /3 of 5 created; 2 failed; 2 rows written to /);
  const again = lines(await run('apps', 'create', '--from', path, '--json'));
  assert.deepEqual(
    again.map(({ id, replayed }) => [id, replayed]),
    got.map(({ id, ok }) => [id, ok]),
    'run again, it makes nothing twice',
  );
  const corrected = readFileSync(rejects, 'utf8').replace('00000411', '00000402').replace('500', '5000');
  assert.match(corrected, /^company,amount,term,reference,metadata\.shop,idempotency-key,#error\n/);
  const rest = await run('apps', 'create', '--from', file('corrected.csv', corrected), '--quiet');
  assert.deepEqual([rest.status, rest.stdout.split('\n').length], [0, 3], rest.stderr);
  assert.deepEqual((await applications()).map(({ reference }) => reference).sort(), ['a', 'b', 'c', 'c', 'd']);
});

test('a corrected row in the same file is a new row, the others are unchanged', async () => {
  const before = (await applications()).length;
  const rows = (third: string): string => `company,reference\n16093826,same-1\n16093826,same-2\n${third},same-3\n`;
  const path = file('edit.csv', rows('00000411'));
  assert.equal((await run('apps', 'create', '--from', path)).status, 1);
  writeFileSync(path, rows('00000401'));
  const ended = lines(await run('apps', 'create', '--from', path, '--json'));
  assert.deepEqual(
    ended.map(({ ok, replayed }) => [ok, replayed]),
    [
      [true, true],
      [true, true],
      [true, false],
    ],
  );
  assert.equal((await applications()).length, before + 3);
  const other = lines(await run('apps', 'create', '--from', path, '--json', '--idempotency-key', 'second-run'));
  assert.ok(
    other.every(({ ok, replayed }) => ok && !replayed),
    'another name for the run creates them again',
  );
});

test('rows that could not be sent keep their key for the next run', async () => {
  const path = file('away.csv', 'company,reference\n16093826,away-1\n16093826,away-2\n');
  const rejects = join(home.path, 'away-rejects.csv');
  const refused = { ...env, CC_BASE: 'http://127.0.0.1:9' };
  const flags = ['--rejects', rejects, '--json', '--max-retries', '0'];
  const ended = await runInside(['apps', 'create', '--from', path, ...flags], refused);
  assert.equal(ended.status, 6);
  const keys = lines(ended).map(({ idempotency_key: key }) => key);
  const kept = readFileSync(rejects, 'utf8');
  for (const key of keys) assert.ok(kept.includes(key));
  const rerun = lines(await run('apps', 'create', '--from', rejects, '--json'));
  assert.deepEqual(
    rerun.map(({ ok, idempotency_key: key }) => [ok, key]),
    keys.map((key) => [true, key]),
  );
  const wrong = await runInside(['apps', 'create', '--from', path], {
    ...env,
    CC_SECRET_KEY: 'sk_test_no',
  });
  assert.equal(wrong.status, 4, 'a refused credential ends it');
});

test('a dry run shows each request with its key and sends nothing', async () => {
  const before = (await applications()).length;
  const ended = await piped(
    '{"company":"16093826","metadata":{"order":"88421"},"amount_pence":2500000,"term":12}\n',
    ...['apps', 'create', '--from', '-', '--dry-run', '--json'],
  );
  const shown = JSON.parse(ended.stdout) as { body: unknown; headers: Record<string, string> };
  assert.deepEqual(shown.body, {
    business: { company_number: '16093826' },
    amount_pence: 2_500_000,
    term_months: 12,
    metadata: { order: '88421' },
  });
  assert.match(shown.headers['Idempotency-Key'] ?? '', /^row_/);
  assert.equal((await applications()).length, before);
});

test('payment links from a file; results as they come', async () => {
  const path = file('links.csv', 'amount,reference,payer-name\n450,INV-1,Ada\n12.50,INV-2,\n0.99,INV-3,Grace\n');
  const flags = ['--unordered', '--concurrency', '3', '--field', 'result.amount'];
  const ended = await run('payments', 'link', '--from', path, ...flags);
  assert.equal(ended.status, 0, ended.stderr);
  assert.deepEqual(ended.stdout.split('\n').filter(Boolean).sort(), ['1250', '45000', '99']);
  assert.equal(
    (await run('payments', 'link', '--from', path, '--expires-in', '7d')).status,
    2,
    'a re-run must send the same',
  );
});

test('killed ten times at random moments and run to its end: each row exactly once', async (t) => {
  const seed = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`KILL_SEED=${seed}`);
  const random = randomFrom(seed);
  const many = 16;
  // Every row stands there twice.
  const rows = Array.from({ length: many }, (_, n) => `16093826,killed-${n % (many / 2)}`).join('\n');
  const path = file('killed.csv', `company,reference\n${rows}\n`);
  const args = ['apps', 'create', '--from', path, '--json', '--concurrency', '8'];
  const killed = await serveSandbox({ ...{ host: '127.0.0.1', port: 0, seed: 'killed', version: '0' }, now: Date.now });
  try {
    const own = { ...env, CC_BASE: killed.url };
    const made = new Map<number, string>();
    const take = (text: string): void => {
      // The last line may be cut.
      for (const line of text.split('\n').slice(0, -1)) {
        const { row, id } = JSON.parse(line) as { row: number; id: string };
        assert.equal(made.get(row) ?? id, id, 'the same row is the same application in every run');
        made.set(row, id);
      }
    };
    let midway = 0;
    for (let time = 0; time < 10; time += 1) {
      const child = start('bin/run.js', args, own);
      // At a random moment since its start, or since its first row; the pace of five a second keeps it at work for two seconds.
      const [fromStart, ms] = [random() < 0.3, random() * 600];
      const kill = (): unknown => setTimeout(() => child.kill('SIGKILL'), ms);
      if (fromStart) kill();
      else child.stdout.once('data', kill);
      const { signal, stdout } = await finish(child);
      if (signal === 'SIGKILL' && stdout !== '') midway += 1;
      take(stdout);
    }
    const last = await runInside(args, own);
    assert.equal(last.status, 0, last.stderr);
    take(last.stdout);
    assert.ok(midway > 0, 'none was killed while it was at work');
    assert.deepEqual([made.size, new Set(made.values()).size], [many, many]);
    const health = (await (await fetch(`${killed.url}/_sandbox/health`)).json()) as {
      counts: { applications: number };
    };
    assert.equal(health.counts.applications, many, 'none was made twice');
  } finally {
    await killed.close();
  }
});

test('a row whose answer was lost is in the rejects with its key, and running those makes nothing twice', async () => {
  const lost = { kind: 'drop_after', times: 1, match: { method: 'POST', path: '/partner/v1/applications' } };
  await fetch(`${api.url}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(lost) });
  const path = file('lost.csv', 'company,reference\n16093826,lost-1\n16093826,lost-2\n');
  const rejects = join(home.path, 'lost-rejects.csv');
  const flags = ['--rejects', rejects, '--max-retries', '0', '--concurrency', '1', '--json'];
  const first = await run('apps', 'create', '--from', path, ...flags);
  assert.deepEqual([first.status, lines(first).map(({ ok }) => ok)], [6, [false, true]]);
  const kept = readFileSync(rejects, 'utf8');
  const onto = await run('apps', 'create', '--from', rejects, '--rejects', `${home.path}/./lost-rejects.csv`);
  assert.deepEqual(
    [onto.status, readFileSync(rejects, 'utf8')],
    [2, kept],
    'rows are not overwritten while they are run',
  );
  const again = lines(await run('apps', 'create', '--from', rejects, '--json'));
  assert.deepEqual(
    again.map(({ ok, replayed }) => [ok, replayed]),
    [[true, true]],
  );
  const there = (await applications()).filter(({ reference }) => reference?.startsWith('lost-'));
  assert.deepEqual(there.map(({ reference }) => reference).sort(), ['lost-1', 'lost-2']);
});

test('Ctrl-C keeps the rows that were not sent', async () => {
  const path = file(
    'stopped.csv',
    `company,reference\n${Array.from({ length: 60 }, (_, n) => `16093826,stop-${n}`).join('\n')}\n`,
  );
  const rejects = join(home.path, 'stopped-rejects.csv');
  const child = start('bin/run.js', ['apps', 'create', '--from', path, '--rejects', rejects, '--quiet'], env);
  child.stdout.once('data', () => child.kill('SIGINT'));
  const ended = await finish(child);
  assert.equal(ended.status, 130);
  assert.ok(existsSync(rejects));
  const done = ended.stdout.split('\n').filter(Boolean).length;
  const left = readFileSync(rejects, 'utf8').split('\n').length - 2;
  assert.ok(done > 0 && left > 0);
  assert.equal(done + left, 60);
});

test('on a terminal a progress bar shows rate, done, failed and time left, and is erased at the end', async () => {
  const rows = Array.from({ length: 9 }, (_, n) => `${n === 1 ? '00000411' : '16093826'},bar-${n}`);
  const path = file(
    'bar.csv',
    `company,amount,term,reference\n${rows.map((row) => row.replace(',', ',1000,12,')).join('\n')}\n`,
  );
  const terminal = openTerminal(['apps', 'create', '--from', path], env);
  await terminal.shows(/[█░]{24} [2-8]\/9 {2}\d+\.\d\/s {2}1 failed {2}\d+s left/);
  assert.equal(await terminal.ended(), 1, terminal.text);
  const screen = terminal.raw.replaceAll('\u001b[K', '').replaceAll(/[^\n]*\r(?!\n)/g, '');
  assert.deepEqual(
    [...screen.matchAll(/^line (\d+)/gm)].map(([, line]) => Number(line)),
    [2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.doesNotMatch(screen, /░/);
  assert.match(screen, /8 of 9 created; 1 failed/);
});

/** The same numbers for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
