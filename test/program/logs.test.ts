/** The log with the built program: followed from another process, shown, counted, bounded, and never in the way. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { JOURNAL } from '../../src/lib/journal/entries.ts';
import { createJournal } from '../../src/lib/journal/record.ts';
import { openStore } from '../../src/lib/store/store.ts';
import { record } from '../journal/support.ts';
import { runInside } from '../support/inside.ts';
import { type Child, type Ended, finish, freshHome, seen, start } from '../support/spawn.ts';
import { command } from '../support/world.ts';

process.env['TZ'] = 'UTC';
const home = freshHome();
const state = join(home.path, '.local', 'state', 'credicorp');
const run = (...args: string[]): Promise<Ended> => runInside(args, home.env);
const value = async (...args: string[]): Promise<string> => {
  const ended = await run(...args);
  assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
  return ended.stdout.trim();
};
const documents = (text: string): Record<string, unknown>[] =>
  text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
/** A terminal of so many columns, in this process. */
const onTerminal = (columns: number, ...args: string[]) =>
  command({ home: home.path, terminal: true, columns, env: { NO_COLOR: '1' } }, ...args);

async function end(child: Child): Promise<Ended> {
  child.kill('SIGINT');
  return finish(child);
}

/** A TCP proxy that can cut every connection. */
async function fragileRoad(to: number): Promise<{ port: number; cut(): void; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  const close = (): void => {
    cut();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, cut, close };
}

let refused = '';
before(async () => {
  await value('sandbox', 'start', '--background', '--port', '0', '--quiet');
  await value('apps', 'create', '--company', '16093826', '--quiet');
  const ended = await run('apps', 'create', '--company', '16093826', '--term', '61', '--json');
  assert.equal(ended.status, 1);
  const { error } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as { error: { request_id: string } };
  refused = error.request_id;
});
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

describe('logs tail', () => {
  it('shows entries of another process within 200 ms', async (t) => {
    const tail = start('bin/run.js', ['logs', 'tail', '--since', '1h', '--source', 'listener', '--json'], home.env);
    const lines = createInterface({ input: tail.stdout })[Symbol.asyncIterator]();
    // This process is the other one; its journal is the one every command has.
    const store = openStore({ path: join(state, 'store.db'), now: Date.now, tables: [JOURNAL] });
    const journal = createJournal({ open: () => store, now: Date.now });
    const write = (note: string): number => {
      journal.write(record({ at: Date.now(), source: 'listener', note }));
      return performance.now();
    };
    // The first one waits for the program to start, and is not counted.
    write('first');
    await lines.next();
    const delays: number[] = [];
    for (let n = 0; n < 25; n += 1) {
      const written = write(`entry ${n}`);
      const next = await lines.next();
      delays.push(performance.now() - written);
      assert.equal((JSON.parse(String(next.value)) as { note: string }).note, `entry ${n}`);
    }
    delays.sort((a, b) => a - b);
    const [median = 0, worst = 0] = [delays[12], delays.at(-1)];
    t.diagnostic(
      `from the write to the line in another process: median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`,
    );
    assert.ok(median <= 200, `median ${median.toFixed(0)} ms`);
    journal.close();
    store.close();
    assert.equal((await end(tail)).status, 0);
  });

  it('filters combine', async () => {
    const count = async (...filters: string[]): Promise<number> =>
      documents(await value('logs', 'tail', '--since', '1h', '--no-follow', '--json', ...filters)).length;
    assert.ok((await count('--status', '4xx')) >= 2, 'both ends saw it');
    assert.equal(await count('--status', '4xx', '--source', 'cli'), 1);
    assert.equal(await count('--status', '422', '--source', 'cli', '--method', 'post', '--path', '/applications'), 1);
    assert.equal(await count('--status', '422', '--source', 'cli', '--method', 'GET'), 0);
    assert.equal(await count('--request-id', refused), 2);
    assert.equal(await count('--request-id', refused, '--source', 'sandbox', '--status', '4xx'), 1);
    assert.equal(await count('--request-id', refused, '--path', '/payments*'), 0);
    for (const bad of [
      ['--status', '600'],
      ['--source', 'app'],
      ['--since', 'soon'],
    ])
      assert.equal((await run('logs', 'tail', '--no-follow', ...bad)).status, 2, bad.join(' '));
  });

  it('on a terminal: one line each, failed calls begin with a sign, bodies on request', async () => {
    const lines = (await onTerminal(200, 'logs', 'tail', '--no-follow', '--request-id', refused)).stdout;
    assert.match(
      lines,
      new RegExp(
        `^! \\d\\d:\\d\\d:\\d\\d cli {6}POST {3}/partner/v1/applications 422 \\d+ms term_out_of_range ${refused}`,
        'm',
      ),
    );
    assert.equal(lines.trimEnd().split('\n').length, 3);
    assert.match(lines, /^\d{4}-\d\d-\d\d, times at \+00:00\n/);
    const good = (await onTerminal(200, 'logs', 'tail', '--no-follow', '--status', '2xx', '--source', 'cli')).stdout;
    assert.ok(
      good
        .trimEnd()
        .split('\n')
        .slice(1)
        .every((line) => line.startsWith('  ')),
      good,
    );
    const bodies = (
      await onTerminal(200, 'logs', 'tail', '--no-follow', '--bodies', '--request-id', refused, '--source', 'cli')
    ).stdout;
    assert.match(bodies, /^> {5}"term_months": 61/m);
    assert.match(bodies, /^< {7}"code": "term_out_of_range"/m);
    const rows = await value('logs', 'tail', '--no-follow', '--bodies', '--request-id', refused, '--source', 'cli');
    assert.match(rows, /\t422\t\d+\treq_\w+\tterm_out_of_range\t\t\{.*"term_months":61.*\t\{"error":/);
  });

  it('--quiet prints the ids, --field one member of each', async () => {
    const both = ['logs', 'tail', '--no-follow', '--request-id', refused];
    assert.equal(await value(...both, '--quiet'), `${refused}\n${refused}`);
    assert.deepEqual((await value(...both, '--field', 'source')).split('\n').sort(), ['cli', 'sandbox']);
    assert.equal(
      await value(...both, '--field', 'response_headers.content-type'),
      'application/json\napplication/json',
    );
  });

  it('a gap is shown: for pruned entries, and for a store that was replaced', async () => {
    using other = freshHome();
    const path = join(other.path, '.local', 'state', 'credicorp', 'store.db');
    const write = (note: string): void => {
      const store = openStore({ path, now: Date.now, tables: [JOURNAL] });
      const journal = createJournal({ open: () => store, now: Date.now });
      for (let n = 0; n < 10; n += 1) journal.write(record({ at: Date.now(), note }));
      journal.close();
      store.close();
    };
    write('old');
    await runInside(['logs', 'limits', '--max-entries', '5'], other.env);
    const tail = start('bin/run.js', ['logs', 'tail', '--since', '1h', '--json'], other.env);
    const head = await seen(tail.stdout, /(?:.*\n){6}/);
    const [gap, ...kept] = documents(head);
    assert.deepEqual([gap?.['type'], gap?.['why'], kept.length], ['gap', 'pruned', 5]);
    const afterGap = seen(tail.stdout, /"gap"[\s\S]*"new"/);
    writeFileSync(path, 'not a database any more');
    write('new');
    const replaced = documents((await afterGap).slice(0, (await afterGap).lastIndexOf('\n') + 1)).find(
      ({ type }) => type === 'gap',
    );
    assert.equal(replaced?.['why'], 'replaced');
    assert.equal((await end(tail)).status, 0);
  });

  it('--from a sandbox that lives at another time says so', async () => {
    using other = freshHome();
    const clock = ['--clock-start', '2026-07-04T10:00:00Z', '--clock-frozen'];
    const sandbox = start('bin/run.js', ['sandbox', 'start', '--port', '0', '--json', ...clock], other.env);
    const { base_url: from } = JSON.parse((await seen(sandbox.stdout, '\n')).split('\n')[0] ?? '') as {
      base_url: string;
    };
    await fetch(`${from}/partner/v1/accounts`);
    const since = async (when: string) =>
      run('logs', 'tail', '--from', from, '--no-follow', '--since', when, '--field', 'at');
    const by = await since('2026-07-04T09:59:00Z');
    assert.deepEqual([by.status, by.stdout], [0, '2026-07-04T10:00:00.000Z\n']);
    assert.match(by.stderr, /^note: the clock of that sandbox is at 2026-07-04T10:00:00Z; .*--since.*\n$/);
    assert.equal((await end(sandbox)).status, 0);
  });

  it('--from follows a sandbox on another host with its log token, and says why it may not', async () => {
    using other = freshHome();
    const address = Object.values(networkInterfaces())
      .flat()
      .find((found) => found?.family === 'IPv4' && !found.internal)?.address;
    const token = 'log-token-4Hd82Kq';
    const sandbox = start('bin/run.js', ['sandbox', 'start', '--port', '0', '--host', '0.0.0.0', '--json'], {
      ...other.env,
      CREDICORP_SANDBOX_LOG_TOKEN: token,
    });
    const ready = JSON.parse((await seen(sandbox.stdout, '\n')).split('\n')[0] ?? '') as { base_url: string };
    const { port } = new URL(ready.base_url);
    const from = `http://${address ?? '127.0.0.1'}:${port}`;
    const get = (path: string) => fetch(`${from}${path}`, { headers: { authorization: 'Bearer sk_test_local' } });
    await get('/partner/v1/applications');
    if (address !== undefined) {
      const closed = await run('logs', 'tail', '--from', from, '--no-follow');
      assert.deepEqual([closed.status, closed.stdout], [4, '']);
      assert.match(closed.stderr, /CREDICORP_SANDBOX_LOG_TOKEN/);
    }
    const env = { ...home.env, CREDICORP_SANDBOX_LOG_TOKEN: token };
    const past = await runInside(['logs', 'tail', '--from', from, '--no-follow', '--field', 'path'], env);
    assert.deepEqual([past.status, past.stdout], [0, '/partner/v1/applications\n']);
    assert.doesNotMatch(past.stderr, new RegExp(token));
    const tail = start(
      'bin/run.js',
      ['logs', 'tail', '--from', from, '--since', '1h', '--status', '4xx', '--json'],
      env,
    );
    const line = seen(tail.stdout, '\n');
    await get('/partner/v1/applications/app_missing1');
    const [entry] = documents(await line);
    assert.deepEqual(
      [entry?.['path'], entry?.['status'], entry?.['error_code'], entry?.['origin']],
      ['/partner/v1/applications/app_missing1', 404, 'resource_missing', from],
    );
    assert.equal((await end(tail)).status, 0);
    // The way there breaks, and the tail comes back where it was: nothing is lost, nothing comes twice.
    const road = await fragileRoad(Number(port));
    const through = `http://127.0.0.1:${road.port}`;
    const back = start('bin/run.js', ['logs', 'tail', '--from', through, '--since', '1h', '--field', 'path'], env);
    const kept = seen(back.stdout, /app_missing4\n/);
    await seen(back.stdout, 'app_missing1');
    for (const n of [2, 3, 4]) {
      road.cut();
      await get(`/partner/v1/applications/app_missing${n}`);
    }
    const paths = (await kept).trim().split('\n');
    assert.deepEqual(
      paths.filter((path) => path.includes('missing')).map((path) => path.slice(-1)),
      ['1', '2', '3', '4'],
    );
    const left = await end(back);
    assert.equal(left.status, 0);
    assert.match(left.stderr, /trying again/);
    road.close();
    assert.equal((await end(sandbox)).status, 0);
    assert.equal((await run('logs', 'tail', '--from', 'http://user:pass@host:1')).status, 2);
  });
});

describe('logs show', () => {
  it('prints one call whole, both ends of it', async () => {
    const text = (await onTerminal(100, 'logs', 'show', refused)).stdout;
    assert.match(text, new RegExp(`^# ${refused}: .*seen by cli, try 1$`, 'm'));
    assert.match(text, /seen by sandbox/);
    assert.match(text, /^> POST http:\/\/127\.0\.0\.1:\d+\/partner\/v1\/applications$/m);
    assert.match(text, /^> authorization: Bearer \[redacted\]$/m);
    assert.match(text, /^< 422 after \d+ ms$/m);
    assert.match(text, /^<\s+"code": "term_out_of_range",$/m);
    const { request_id: id, entries } = JSON.parse(await value('logs', 'show', refused, '--json')) as {
      request_id: string;
      entries: { source: string }[];
    };
    assert.deepEqual([id, entries.map(({ source }) => source).sort()], [refused, ['cli', 'sandbox']]);
    assert.equal((await run('logs', 'show', 'req_00000000')).status, 3);
  });

  it('--curl repeats the call when it is pasted into a shell', async () => {
    const curl = await value('logs', 'show', refused, '--curl');
    const bin = join(home.path, 'bin');
    const script = `credicorp() { '${process.execPath}' bin/run.js "$@"; }; ${curl} --silent`;
    const ended = await finish(spawn('bash', ['-c', script], { env: home.env, stdio: ['pipe', 'pipe', 'pipe'] }));
    assert.match(ended.stdout, /^HTTP\/1\.1 422/, `${bin} ${ended.stderr}`);
    // The key went with it, so it is the first answer that comes again.
    assert.match(ended.stdout, /idempotency-replayed: true/i);
    assert.match(ended.stdout, /term_out_of_range/);
  });

  it('--har is an archive', async () => {
    const har = JSON.parse(await value('logs', 'show', refused, '--har')) as {
      log: { version: string; entries: unknown[] };
    };
    assert.deepEqual([har.log.version, har.log.entries.length], ['1.2', 2]);
  });
});

describe('logs stats', () => {
  it('--json is data', async () => {
    const stats = JSON.parse(await value('logs', 'stats', '--since', '1h', '--json')) as Record<string, unknown>;
    const sum = (rows: unknown): number => (rows as { calls: number }[]).reduce((all, { calls }) => all + calls, 0);
    const calls = Number(stats['calls']);
    assert.ok(calls >= 3);
    for (const rows of ['statuses', 'endpoints', 'histogram', 'timeline']) assert.equal(sum(stats[rows]), calls, rows);
    assert.equal(stats['error_rate'], Number(stats['errors']) / calls);
    const [budget] = stats['rate_budgets'] as { limit: number; remaining: number }[];
    assert.equal(budget?.limit, 50);
    assert.ok(budget.remaining <= 50);
  });

  it('on a terminal it is drawn at its width, and off one it is plain', async () => {
    for (const columns of [40, 80, 200]) {
      const { stdout, status } = await onTerminal(columns, 'logs', 'stats', '--since', '1h');
      assert.equal(status, 0);
      const widest = Math.max(...stdout.split('\n').map((line) => [...line].length));
      assert.ok(widest < columns, `${widest} of ${columns}:\n${stdout}`);
      assert.ok(widest > columns * 0.8, `${widest} of ${columns}: drawn at the width`);
      assert.match(stdout, /^calls {6}.*[▁▂▃▄▅▆▇█]/m);
      assert.match(stdout, /^422! +█/m);
      assert.match(stdout, /^≤ .*█/m);
      assert.match(stdout, /remaining rate limit\n.*\[█+·*\] \d+ of 50/);
    }
    const plain = await value('logs', 'stats');
    assert.match(plain, /^calls\t\d+$/m);
    assert.doesNotMatch(plain, /[█▁]/);
  });
});

describe('every call is in the log', () => {
  it('those of the client, of the token plane, to the sandbox’s own routes, to the platform, and of a stream', async () => {
    using other = freshHome();
    const go = (...args: string[]): Promise<Ended> => runInside(args, other.env);
    const base = (await go('sandbox', 'start', '--background', '--port', '0', '--field', 'base_url')).stdout.trim();
    await go('apps', 'list');
    await go('sandbox', 'companies');
    await go('status');
    await go('logs', 'tail', '--from', base, '--no-follow');
    const seen = await go('logs', 'tail', '--since', '1h', '--no-follow', '--source', 'cli', '--field', 'path');
    for (const path of [
      '/partner/v1/applications',
      '/partner/v1/oauth/token',
      '/_sandbox/companies',
      '/public/v1/status',
      '/_sandbox/requests/stream',
    ])
      assert.equal(seen.stdout.split('\n').filter((line) => line === path).length, 1, `${path}:\n${seen.stdout}`);
    await go('sandbox', 'stop');
  });
});

describe('the journal is never in the way', () => {
  it('cannot be written: the command does its work and says so once', async () => {
    const file = join(home.path, 'a-file');
    writeFileSync(file, '');
    const base = await value('sandbox', 'status', '--field', 'base_url');
    const env = {
      ...home.env,
      CREDICORP_STATE_DIR: join(file, 'state'),
      CC_SECRET_KEY: 'sk_test_local',
      CC_BASE: base,
    };
    const ended = await runInside(['apps', 'list', '--quiet'], env);
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /^app_/);
    assert.equal(ended.stderr.match(/the journal cannot be written/g)?.length, 1, ended.stderr);
  });

  it('damaged: renamed and replaced, and the command works', async () => {
    using other = freshHome();
    const base = await value('sandbox', 'status', '--field', 'base_url');
    const env = { ...other.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: base };
    const folder = join(other.path, '.local', 'state', 'credicorp');
    assert.equal((await runInside(['apps', 'list'], env)).status, 0);
    writeFileSync(join(folder, 'store.db'), 'x'.repeat(5000));
    const ended = await runInside(['apps', 'list', '--quiet'], env);
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stderr, /set aside as .*store\.db/);
    assert.ok(readdirSync(folder).length >= 2);
    const rows = await runInside(['logs', 'tail', '--no-follow', '--field', 'path'], env);
    assert.match(rows.stdout, /^\/partner\/v1\/applications/);
  });

  it('several processes at once lose nothing', async () => {
    const ids = Array.from({ length: 6 }, (_, n) => `app_parallel${n}`);
    await Promise.all(ids.map((id) => run('apps', 'get', id)));
    const paths = await value(
      'logs',
      'tail',
      '--since',
      '1h',
      '--no-follow',
      '--source',
      'cli',
      '--path',
      '/applications/app_parallel*',
      '--field',
      'path',
    );
    assert.deepEqual(paths.split('\n').sort(), ids.map((id) => `/partner/v1/applications/${id}`).sort());
  });

  it('logs limits shows and sets the limits of every process', async () => {
    using other = freshHome();
    const limits = async (...args: string[]) =>
      JSON.parse((await runInside(['logs', 'limits', '--json', ...args], other.env)).stdout) as unknown;
    const defaults = { max_age_seconds: 1_209_600, max_entries: 100_000, max_size_mib: 128, pruned: 0 };
    assert.deepEqual(await limits(), defaults);
    const set = { ...defaults, max_age_seconds: 43_200, max_size_mib: 16 };
    assert.deepEqual(await limits('--max-age', '12h', '--max-size', '16'), set);
    assert.deepEqual(await limits(), set);
    assert.equal((await runInside(['logs', 'limits', '--max-size', '0'], other.env)).status, 2);
  });
});
