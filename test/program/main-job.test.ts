/** The main job with the built program: every step a process of its own, as a user's shell runs them. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { verify } from '../../src/lib/contract/signature.ts';
import { type Ended, finish, freshHome, runScript, seen, start } from '../support/spawn.ts';

const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runScript('bin/run.js', args, home.env);
const value = async (...args: string[]): Promise<string> => {
  const ended = await run(...args);
  assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
  return ended.stdout.trim();
};

before(async () => {
  const started = await run('sandbox', 'start', '--background', '--port', '0', '--seed', 'main-job', '--json');
  assert.equal(started.status, 0, started.stderr);
  const ready = JSON.parse(started.stdout) as Record<string, string>;
  assert.deepEqual([ready['type'], ready['client_id'], ready['seed']], ['ready', 'cid_sbx_local', 'main-job']);
});
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

test('starting twice says where it runs', async () => {
  const again = await run('sandbox', 'start', '--json');
  assert.equal(again.status, 0);
  assert.match(again.stderr, /already running at http:\/\/127\.0\.0\.1:\d+ .*credicorp sandbox stop/);
  const base = await value('sandbox', 'status', '--field', 'base_url');
  assert.equal((JSON.parse(again.stdout) as Record<string, unknown>)['base_url'], base);
});

test('the next command just works: the profile local is there and active', async () => {
  const who = JSON.parse(await value('whoami', '--json')) as Record<string, unknown>;
  assert.deepEqual([who['profile'], who['environment'], who['client_id']], ['local', 'local', 'cid_sbx_local']);
  const created = JSON.parse(await value('apps', 'create', '--company', '16093826', '--json')) as Record<
    string,
    unknown
  >;
  assert.equal(created['amount_pence'], 2_500_000);
  const got = JSON.parse(await value('apps', 'get', String(created['id']), '--json')) as Record<string, unknown>;
  assert.equal(got['id'], created['id']);
});

test('an approved and a declined application, by status and by exit status', async () => {
  const approved = await value('apps', 'create', '--company', '16093826', '--quiet');
  const yes = await run('decisions', 'get', approved, '--wait', '--exit-status', '--field', 'outcome');
  assert.deepEqual([yes.status, yes.stdout], [0, 'approved\n']);
  const declined = await value('apps', 'create', '--company', '00000404', '--quiet');
  const no = await run('decisions', 'get', declined, '--wait=10s', '--exit-status', '--field', 'reason');
  assert.deepEqual([no.status, no.stdout], [9, 'affordability\n']);
  assert.equal((await run('decisions', 'get', declined)).status, 0, 'a decline is a result');
});

test('a decision that does not come in time: 8, with the last state, and 1 without waiting', async () => {
  const held = await value('apps', 'create', '--company', '00000409', '--quiet');
  const late = await run('decisions', 'get', held, '--wait=1500ms', '--json');
  assert.deepEqual([late.status, late.stdout], [8, '']);
  const { error } = JSON.parse(late.stderr) as { error: { kind: string; last: { outcome: string } } };
  assert.deepEqual([error.kind, error.last.outcome], ['pending', 'referred']);
  const slow = await value('apps', 'create', '--company', '00000408', '--quiet');
  const now = await run('decisions', 'get', slow);
  assert.equal(now.status, 1);
  assert.match(now.stderr, /--wait/);
});

test('a payment link', async () => {
  const link = JSON.parse(
    await value('payments', 'link', '--amount', '450', '--reference', 'INV-5512', '--json'),
  ) as Record<string, unknown>;
  assert.deepEqual([link['status'], link['amount'], link['currency']], ['open', 45_000, 'GBP']);
  const dry = JSON.parse(
    await value('payments', 'link', '--amount-pence', '45000', '--reference', 'X', '--dry-run', '--json'),
  ) as Record<string, unknown>;
  assert.deepEqual(dry['body'], { amount: 45_000, currency: 'GBP', reference: 'X' });
  assert.match(JSON.stringify(dry), /Bearer \[redacted\]/);
});

test('the same idempotency key creates once', async () => {
  const args = ['apps', 'create', '--company', '16093826', '--idempotency-key', 'order_88421', '--quiet'];
  assert.equal(await value(...args), await value(...args));
  const other = await run('apps', 'create', '--company', '00000401', '--idempotency-key', 'order_88421');
  assert.equal(other.status, 1);
  assert.match(other.stderr, /idempotency_conflict/);
});

test('lists: rows in a pipe, a page as JSON, every item with --all', async () => {
  const rows = (await value('apps', 'list', '--limit', '2')).split('\n');
  assert.equal(rows.length, 2);
  assert.equal(rows[0]?.split('\t').length, 6);
  const page = JSON.parse(await value('apps', 'list', '--limit', '2', '--json')) as Record<string, unknown>;
  assert.deepEqual(Object.keys(page), ['data', 'has_more', 'next_cursor']);
  const all = (await value('apps', 'list', '--all', '--limit', '2', '--json'))
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string });
  const ids = (await value('apps', 'list', '--all', '--quiet')).split('\n');
  assert.deepEqual(
    all.map(({ id }) => id),
    ids,
  );
  assert.ok(ids.length > 3);
});

test('a refusal of the server is reported with status, code, param and request id', async () => {
  const rows: [args: string[], status: number, code: string][] = [
    [['apps', 'get', 'app_00000000'], 3, 'resource_missing'],
    [['apps', 'create', '--company', '00000411'], 1, 'company_not_found'],
    [['apps', 'create', '--company', '16093826', '--amount', '500'], 1, 'amount_below_minimum'],
    [['apps', 'create', '--company', '16093826', '--term', '61'], 1, 'term_out_of_range'],
    [['apps', 'list', '--status', 'lost'], 1, 'parameter_invalid'],
  ];
  for (const [args, status, code] of rows) {
    const ended = await run(...args, '--json');
    assert.deepEqual([ended.status, ended.stdout], [status, ''], args.join(' '));
    const { error } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as { error: Record<string, string> };
    assert.equal(error['code'], code);
    assert.match(error['request_id'] ?? '', /^req_/);
  }
});

test('the log of one command reaches another process while it runs', async (t) => {
  const tail = start('bin/run.js', ['logs', 'tail', '--since', '5m', '--source', 'cli', '--json'], home.env);
  t.after(() => tail.kill('SIGKILL'));
  // What is there already shows that it follows by now.
  await seen(tail.stdout, '"seq"');
  const line = seen(tail.stdout, /decisions\/app_11111111[^\n]*\n/);
  await run('decisions', 'get', 'app_11111111');
  const entry = JSON.parse((await line).split('\n').find((text) => text.includes('app_11111111')) ?? '') as Record<
    string,
    unknown
  >;
  assert.deepEqual([entry['method'], entry['status'], entry['error_code']], ['GET', 404, 'resource_missing']);
  assert.doesNotMatch(JSON.stringify(entry), /eyJ/);
  tail.kill('SIGINT');
  assert.equal((await finish(tail)).status, 0);
  const past = await value(
    'logs',
    'tail',
    '--since',
    '5m',
    '--no-follow',
    '--status',
    '4xx',
    '--path',
    '/decisions/*',
    '--field',
    'status',
  );
  assert.ok(past.split('\n').every((status) => /^4\d\d$/.test(status)));
});

test('webhooks: verified, stored, forwarded byte for byte; the app may be away meanwhile', async (t) => {
  const gate = await startApp();
  const { port } = gate;
  await gate.close();
  const listener = start(
    'bin/run.js',
    ['webhooks', 'listen', '--forward', `127.0.0.1:${port}/hook`, '--json'],
    home.env,
  );
  const events: Record<string, unknown>[] = [];
  listener.stdout.on('data', (chunk: Buffer) => {
    for (const text of chunk.toString().split('\n'))
      if (text.startsWith('{') && text.endsWith('}')) events.push(JSON.parse(text) as Record<string, unknown>);
  });
  await seen(listener.stdout, '"ready"');
  const secret = await value('webhooks', 'secret');
  t.after(() => listener.kill('SIGKILL'));
  const away = seen(listener.stdout, /"retrying"[\s\S]*decision\.completed/);
  await value('apps', 'create', '--company', '16093826', '--quiet');
  await away;
  const app = await startApp(port);
  await app.got(5);
  for (const { body, headers } of app.requests) {
    const header = String(headers['credicorp-signature']);
    const verdict = verify({ header, body, secrets: [secret], now: Math.floor(Date.now() / 1000) });
    assert.equal(verdict.valid, true);
    assert.match(String(headers['credicorp-delivery']), /^whd_/);
  }
  const types = app.requests.map(({ body }) => (JSON.parse(body.toString()) as { type: string }).type);
  assert.deepEqual(new Set(types), new Set(['application.submitted', 'application.updated', 'decision.completed']));
  const closed = seen(listener.stdout, '"closed"');
  listener.kill('SIGINT');
  await closed;
  assert.equal((await finish(listener)).status, 0);
  assert.equal(app.requests.length, 5, 'each once');
  assert.ok(events.length > 0 && events.every((event) => !JSON.stringify(event).includes('whsec_')));
  const base = await value('sandbox', 'status', '--field', 'base_url');
  const left = await fetch(`${base}/partner/v1/webhook_endpoints`, {
    headers: { authorization: 'Bearer sk_test_local' },
  });
  assert.deepEqual(((await left.json()) as { data: unknown[] }).data, [], 'the endpoint is gone');
  await app.close();
});

test('stop ends it, and a second stop says there is nothing to stop', async () => {
  using other = freshHome();
  const started = await runScript('bin/run.js', ['sandbox', 'start', '-b', '--port', '0', '--quiet'], other.env);
  assert.equal(started.status, 0, started.stderr);
  assert.match((await runScript('bin/run.js', ['sandbox', 'stop'], other.env)).stderr, /stopped the sandbox/);
  assert.match((await runScript('bin/run.js', ['sandbox', 'stop'], other.env)).stderr, /no sandbox is running/);
  assert.equal(existsSync(join(other.path, '.local', 'state', 'credicorp', 'sandbox.json')), false);
});

interface App {
  port: number;
  requests: { headers: IncomingMessage['headers']; body: Buffer }[];
  got(count: number): Promise<void>;
  close(): Promise<void>;
}

async function startApp(port = 0): Promise<App> {
  const requests: App['requests'] = [];
  let look: () => void = () => undefined;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push({ headers: request.headers, body: Buffer.concat(chunks) });
      response.end('ok');
      look();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    got: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (requests.length >= count) resolve();
        };
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
