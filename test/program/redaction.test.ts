/**
 * A host that repeats every credential it was shown, in every place and spelling an answer has, and programs run against it: the
 * secret is in no stream, no log, no file.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { runInside } from '../support/inside.ts';
import { type Ended, finish, freshHome, runScript, seen, start } from '../support/spawn.ts';

/** Values without a shape that could give them away: they must be known by what they are. */
const CLIENT_SECRET = 'Zq8 planted+SECRET/value~77';
const TOKEN = 'opaque.Planted_token-4711';
/** What each of them leaves in a text, however it is written. */
const MARKS = [CLIENT_SECRET, TOKEN].flatMap((secret) => [
  secret,
  encodeURIComponent(secret),
  new URLSearchParams({ v: secret }).toString().slice(2),
  ...[0, 1, 2].map((shift) =>
    Buffer.from(`${'x'.repeat(shift)}${secret}`)
      .toString('base64')
      .slice(4, -6),
  ),
]);

/** A secret only by where it stands. */
const OPAQUE = 'pLaNtEd-opaque_0003';
/** Secrets by their looks, by their name, or by where they stand. */
const PLANTED = {
  key: 'sk_live_pLaNtEd0001',
  client_secret: 'pLaNtEd0002',
  nested: { webhook_secret: 'whsec_pLaNtEd0004', list: [{ access_token: 'pLaNtEd0005' }] },
  text: `Basic ${Buffer.from('id:pLaNtEd0006').toString('base64')} csk_sbx_pLaNtEd0007 eyJhbGciOiJFUzI1NiJ9.pLaNtEd.pLaNtEd`,
};

/** What the host says to a call: `refuse` tokens, or give them and refuse everything else with this status. */
let mode: { tokens: boolean; status: number } = { tokens: true, status: 422 };
const home = freshHome();
let base = '';

const host = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => answer(request, Buffer.concat(chunks).toString(), response));
});

function answer(request: IncomingMessage, body: string, response: ServerResponse): void {
  const token = request.url?.endsWith('/token') === true;
  response.setHeader('content-type', 'application/json');
  response.setHeader('credicorp-request-id', 'req_7Hs2bV9k4LmQ');
  if (request.url?.startsWith('/.well-known')) return void response.writeHead(404).end('{}');
  if (token && mode.tokens) {
    return void response.end(JSON.stringify({ access_token: TOKEN, token_type: 'Bearer', expires_in: 3600 }));
  }
  // A token it was never shown it cannot repeat, and nobody could know it for one.
  const shown = [CLIENT_SECRET, ...(request.headers.authorization?.includes(TOKEN) ? [TOKEN] : [])].join(' | ');
  const base64 = Buffer.from(`cid_sbx_1:${CLIENT_SECRET}`).toString('base64');
  response.setHeader('x-echo', encodeURIComponent(shown));
  response.setHeader('x-basic', base64);
  response.setHeader('set-cookie', `s=${encodeURIComponent(CLIENT_SECRET)}`);
  const text = `you sent ${shown} and ${base64} and ${request.headers.authorization} and ${body}`;
  const detail = { param: text, code: text, message: text };
  const error = token
    ? { error: text, error_description: text }
    : {
        error: {
          type: text,
          code: text,
          message: text,
          param: text,
          doc_url: `https://x.example/?k=${text}`,
          details: [detail],
        },
        echo: JSON.stringify({ text }),
      };
  response.writeHead(token ? 401 : mode.status).end(JSON.stringify(error));
}

before(async () => {
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
});
after(() => {
  host.close();
  host.closeAllConnections();
  home[Symbol.dispose]();
});

const credential = () => ({ CC_CLIENT_ID: 'cid_sbx_1', CC_CLIENT_SECRET: CLIENT_SECRET, CC_BASE: base });
const run = (args: readonly string[], input = ''): Promise<Ended> =>
  runInside(args, { ...home.env, ...credential() }, input);

function assertClean(what: string, text: string): void {
  for (const mark of MARKS) assert.ok(!text.includes(mark), `${what} holds ${mark}:\n${text.slice(0, 4000)}`);
}

const COMMANDS: readonly string[][] = [
  ['apps', 'list'],
  ['apps', 'get', 'app_1'],
  ['apps', 'create', '--company', '16093826', '--idempotency-key', 'order_1'],
  ['decisions', 'get', 'app_1'],
  ['payments', 'link', '--amount', '450', '--reference', 'INV-1'],
  ['api', 'GET', '/partner/v1/applications'],
  ['whoami', '--check'],
  ['open', 'app', 'app_1'],
  ['status'],
];
const WAYS: readonly string[][] = [[], ['--json'], ['--debug'], ['--debug', '--json'], ['--quiet'], ['--field', 'id']];

describe('no stream of any command holds a secret', () => {
  it('whatever the command, the flags, and the way the host refuses', async () => {
    const cases = fc.tuple(
      fc.constantFrom(...COMMANDS),
      fc.constantFrom(...WAYS),
      fc.record({ tokens: fc.boolean(), status: fc.constantFrom(400, 401, 403, 404, 409, 422, 429, 500) }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([words, way, said]) => {
        mode = said;
        const ended = await run([...words, ...way, '--max-retries', '0']);
        const what = `${[...words, ...way].join(' ')} against ${JSON.stringify(said)}`;
        assert.notEqual(ended.status, 70, `${what}: ${ended.stderr}`);
        assertClean(`stdout of ${what}`, ended.stdout);
        assertClean(`stderr of ${what}`, ended.stderr);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it('each command as a program', async () => {
    for (const [at, words] of COMMANDS.entries()) {
      mode = { tokens: at % 3 > 0, status: 422 };
      const args = [...words, '--max-retries', '0', ...(WAYS[at % WAYS.length] ?? [])];
      const ended = await runScript('bin/run.js', args, { ...home.env, ...credential() });
      assertClean(words.join(' '), ended.stdout + ended.stderr);
    }
  });

  it('a mistake on the command line, a dry run, a crash of the connection: neither', async () => {
    mode = { tokens: true, status: 422 };
    const rows = [
      ['apps', 'create', '--company', 'x', '--json'],
      ['apps', 'create', '--company', '16093826', '--dry-run', '--json'],
      ['apps', 'create', '--company', '16093826', '--dry-run', '--debug'],
      ['apps', 'lst', '--json'],
    ];
    for (const args of rows) {
      const ended = await run(args);
      assertClean(args.join(' '), ended.stdout + ended.stderr);
    }
  });

  it('the proxy that gives its token', async () => {
    mode = { tokens: true, status: 422 };
    const env = { ...home.env, ...credential() };
    const child = start('bin/run.js', ['proxy', 'start', '--port', '0', '--auth', '--json', '--debug'], env);
    const ready = await seen(child.stdout, '\n');
    const { url } = JSON.parse(ready) as { url: string };
    await (await fetch(`${url}/partner/v1/applications`, { method: 'POST', body: `{"a":"${TOKEN}"}` })).text();
    child.kill('SIGINT');
    const ended = await finish(child);
    assertClean('proxy', ready + ended.stdout + ended.stderr);
  });
});

describe('what the sandbox and the listener record', () => {
  it('contains nothing that looks like a secret, whichever part wrote it', async () => {
    using own = freshHome();
    const go = (...args: string[]): Promise<Ended> => runInside(args, own.env);
    const api = (await go('sandbox', 'start', '--background', '--port', '0', '--field', 'base_url')).stdout.trim();
    const app = createServer((request, response) => {
      request.resume();
      request.on('end', () => response.setHeader('x-note', PLANTED.key).end(JSON.stringify(PLANTED)));
    });
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    const target = `127.0.0.1:${(app.address() as AddressInfo).port}/hook`;
    const listener = start('bin/run.js', ['webhooks', 'listen', '--forward', target, '--json', '--debug'], own.env);
    let said = await seen(listener.stdout, '"ready"');
    listener.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const forwarded = seen(listener.stdout, '"forwarded"');
    const json = { 'content-type': 'application/json' };
    const set = { 'data.note': PLANTED.key, 'data.access_token': OPAQUE, 'data.more': `Bearer 1${OPAQUE}` };
    const event = JSON.stringify({ type: 'decision.completed', set });
    await fetch(`${api}/_sandbox/events`, { method: 'POST', headers: json, body: event });
    await forwarded;
    const path = `/partner/v1/applications?client_secret=${OPAQUE}&key=${OPAQUE}`;
    const headers = {
      ...json,
      authorization: `Bearer ${PLANTED.key}`,
      'x-api-key': OPAQUE,
      'idempotency-key': PLANTED.key,
    };
    await fetch(api + path, { method: 'POST', headers, body: JSON.stringify(PLANTED) });
    listener.kill('SIGINT');
    const ended = await finish(listener);
    app.close();
    app.closeAllConnections();
    const kept = (await go('logs', 'tail', '--since', '1h', '--no-follow', '--json')).stdout;
    const entries = kept
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const planted = String(entries.find((entry) => String(entry['path']).includes('client_secret'))?.['request_id']);
    const delivery = String(entries.find(({ source }) => source === 'listener')?.['event_id']);
    const ways = [
      ['logs', 'tail', '--from', api, '--since', '1h', '--no-follow', '--json'],
      ...[planted, delivery].flatMap((id) => [[], ['--curl'], ['--har']].map((way) => ['logs', 'show', id, ...way])),
      ['support', 'report', planted, '--no-input', '--actual', PLANTED.key],
      ['support', 'report', planted, '--no-input', '--output', join(own.path, 'ticket')],
    ];
    const shown = await Promise.all(ways.map(async (way) => [way.join(' '), await go(...way)] as const));
    for (const [way, { status, stdout, stderr }] of shown) {
      assert.equal(status, 0, `${way}: ${stderr}`);
      assert.ok(stdout.length > 50, way);
      assert.doesNotMatch(stdout + stderr, /pLaNtEd/, way);
    }
    assert.doesNotMatch(readFileSync(join(own.path, 'ticket'), 'utf8'), /pLaNtEd/);
    await go('sandbox', 'stop');
    assert.deepEqual([...new Set(entries.map(({ source }) => source))].sort(), ['cli', 'listener', 'sandbox']);
    assert.ok(entries.some((entry) => entry['event_type'] === 'decision.completed' && entry['source'] === 'listener'));
    assert.match(kept, /credicorp-signature":"t=\d+,v1=\[redacted\]"/i);
    for (const [what, text] of [
      ['log', kept],
      ['stdout', said],
      ['stderr', ended.stderr],
    ] as const)
      assert.doesNotMatch(text, /pLaNtEd/, what);
  });
});

describe('nothing that was kept holds one', () => {
  it('the log, in every form it is shown in', async () => {
    // The newest call under the shown request id is one with a token and a body, not whichever the tests above ended with.
    mode = { tokens: true, status: 422 };
    const create = ['apps', 'create', '--company', '16093826', '--idempotency-key', 'order_1', '--max-retries', '0'];
    assert.equal((await run(create)).status, 1);
    const ways = [
      ['tail', '--since', '1h', '--no-follow', '--bodies'],
      ['tail', '--since', '1h', '--no-follow', '--json'],
      ['stats', '--json'],
      ['stats'],
      ['tail', '--since', '1h', '--no-follow', '--field', 'request_body'],
    ];
    const one = [[], ['--curl'], ['--har'], ['--json']].map((way) => ['show', 'req_7Hs2bV9k4LmQ', ...way]);
    for (const way of [...ways, ...one]) {
      const ended = await run(['logs', ...way]);
      assert.equal(ended.status, 0, ended.stderr);
      assert.ok(ended.stdout.length > 100, `${way.join(' ')}: ${ended.stdout}${ended.stderr}`);
      assertClean(`logs ${way.join(' ')}`, ended.stdout);
    }
    const ticket = await run(['support', 'report', 'req_7Hs2bV9k4LmQ', '--no-input', '--expected', `Bearer 1${TOKEN}`]);
    assertClean('ticket', ticket.stdout + ticket.stderr);
    const kept = (await run(['logs', 'tail', '--since', '1h', '--no-follow', '--json'])).stdout;
    assert.match(kept, /req_7Hs2bV9k4LmQ/, 'request ids stay');
    assert.match(kept, /order_1|INV-1|app_1/);
  });

  it('every file below home, byte by byte', () => {
    let bytes = 0;
    for (const file of readdirSync(home.path, { recursive: true, encoding: 'utf8' })) {
      const path = join(home.path, file);
      if (!statSync(path).isFile() || path.includes('compile-cache')) continue;
      const text = readFileSync(path, 'latin1');
      bytes += text.length;
      assertClean(file, text);
    }
    assert.ok(bytes > 20_000, `${bytes} bytes were looked at`);
  });
});
