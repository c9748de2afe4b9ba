/** How the platform is, and pages to look at, with the built program. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runInside } from '../support/inside.ts';
import { type Ended, finish, freshHome, start } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';

const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runInside(args, home.env);
let base = '';

before(async () => {
  const started = await run('sandbox', 'start', '--background', '--port', '0', '--field', 'base_url');
  assert.equal(started.status, 0, started.stderr);
  base = started.stdout.trim();
});
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

/** A platform that says this of itself. */
async function platform(
  port: number,
  health: number,
  components: object[],
): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer((request, response) => {
    if (request.url === '/public/v1/healthz') response.writeHead(health).end('{}');
    else response.end(JSON.stringify({ status: 'operational', components }));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const own = (server.address() as AddressInfo).port;
  return { url: `http://127.0.0.1:${own}`, port: own, server };
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}

describe('status', () => {
  it("the sandbox's when local", async () => {
    const ended = await run('status', '--json');
    assert.equal(ended.status, 0, ended.stderr);
    assert.deepEqual(JSON.parse(ended.stdout), {
      status: 'operational',
      reason: null,
      components: [{ name: 'Apply', status: 'operational' }],
      environment: 'local',
      base,
    });
    const log = await run('logs', 'tail', '--no-follow', '--source', 'cli', '--path', '/public/*', '--field', 'path');
    assert.deepEqual(log.stdout.trim().split('\n').sort(), ['/public/v1/healthz', '/public/v1/status']);
  });

  it('the worst component wins; degraded is not down', async () => {
    using nobody = freshHome();
    const { url, server } = await platform(0, 200, [
      { name: 'Apply', status: 'operational' },
      { name: 'Webhooks \u001b[31m', status: 'partial_outage' },
    ]);
    const ended = await runInside(['status', '--api-base', url, '--field', 'status'], nobody.env);
    assert.deepEqual([ended.status, ended.stdout], [0, 'degraded\n'], 'needs no credential');
    end(server);
  });

  it('down: 6, with the document, whether it says so or does not answer', async () => {
    const { url, server } = await platform(0, 503, []);
    const result = await run('status', '--api-base', url, '--quiet');
    assert.deepEqual([result.status, result.stdout], [6, 'down\n']);
    end(server);
    const silent = await run('status', '--api-base', url, '--json');
    assert.equal(silent.status, 6);
    const { status, reason } = JSON.parse(silent.stdout) as Record<string, string>;
    assert.equal(status, 'down');
    assert.match(reason ?? '', /the connection was refused/);
  });

  it('--debug shows its calls on stderr, as it does those of every command', async () => {
    const { stdout, stderr } = await run('status', '--debug', '--quiet');
    assert.equal(stdout, 'operational\n');
    assert.match(stderr, /^> GET http:\/\/127\.0\.0\.1:\d+\/public\/v1\/healthz \(try 1\)$/m);
    assert.match(stderr, /^< 200 after \d+ ms$/m);
    using own = freshHome();
    const env = { ...own.env, CC_CLIENT_ID: 'cid_sbx_local', CC_CLIENT_SECRET: 'csk_sbx_local', CC_BASE: base };
    const listed = await runInside(['apps', 'list', '--debug'], env);
    assert.equal(listed.stderr.match(/^> GET .*\/partner\/v1\/applications \(try 1\)$/gm)?.length, 1, 'once each');
    assert.equal(listed.stderr.match(/^> POST .*\/oauth\/token \(try 1\)$/gm)?.length, 1, listed.stderr);
    assert.doesNotMatch(listed.stderr, /csk_sbx_local|eyJ/);
  });

  it('--wait until it is up, and 8 when it stays down', async () => {
    const first = await platform(0, 503, []);
    const waiting = start('bin/run.js', ['status', '--api-base', first.url, '--wait=20s', '--quiet'], home.env);
    const asked = new Promise((resolve) => first.server.once('request', resolve));
    await asked;
    end(first.server);
    await new Promise((resolve) => first.server.once('close', resolve));
    const second = await platform(first.port, 200, [{ name: 'Apply', status: 'operational' }]);
    const up = await finish(waiting);
    assert.deepEqual([up.status, up.stdout], [0, 'operational\n']);
    end(second.server);
    const stays = await run('status', '--api-base', first.url, '--wait=300ms', '--quiet');
    assert.deepEqual([stays.status, stays.stdout], [8, 'down\n']);
  });
});

describe('open', () => {
  it('prints the address, and off a terminal no more', async () => {
    const rows: [args: string[], address: string][] = [
      [['docs'], 'https://dev.credicorp.co.uk/'],
      [['status'], 'https://status.credicorp.co.uk/'],
      [['dashboard'], `${base}/`],
      [['error', 'term_out_of_range'], 'https://dev.credicorp.co.uk/api-reference/errors.html#term_out_of_range'],
    ];
    for (const [args, address] of rows) {
      const ended = await run('open', ...args);
      assert.deepEqual([ended.status, ended.stdout, ended.stderr], [0, `${address}\n`, ''], args.join(' '));
    }
    const env = { ...home.env, CC_SECRET_KEY: 'sk_test_1', CC_BASE: 'https://sandbox.credicorp.co.uk' };
    const hosted = await runInside(['open', 'dashboard', '--json'], env);
    assert.deepEqual(JSON.parse(hosted.stdout), { url: 'https://hub.credicorp.co.uk/', opened: false });
  });

  it("app: the applicant's journey", async () => {
    const id = (await run('apps', 'create', '--company', '16093826', '--quiet')).stdout.trim();
    const ended = await run('open', 'app', id);
    assert.ok(ended.stdout.startsWith(`${base}/apply/s/`), ended.stdout + ended.stderr);
    assert.equal((await run('open', 'app', 'app_00000000')).status, 3);
  });

  it('a page that is not there is a usage error with a way on', async () => {
    const rows: [args: string[], says: RegExp][] = [
      [['nothing'], /nothing/],
      [['error'], /open error CODE/],
      [['docs', 'more'], /takes no further argument/],
      [['error', 'term_out_of_rang'], /did you mean: credicorp open error term_out_of_range/],
    ];
    for (const [args, says] of rows) {
      const ended = await run('open', ...args);
      assert.deepEqual([ended.status, ended.stdout], [2, ''], args.join(' '));
      assert.match(ended.stderr, says);
    }
  });

  it('on a terminal a program opens it, with the address as one argument and no shell between', async () => {
    const bin = join(home.path, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'xdg-open'), '#!/bin/sh\nprintf "%s\\n" "$#" "$@" > "$HOME/opened.txt"\n');
    chmodSync(join(bin, 'xdg-open'), 0o755);
    const terminal = openTerminal(['open', 'error', 'company_not_found'], {
      ...home.env,
      PATH: `${bin}:${home.env['PATH']}`,
    });
    assert.equal(await terminal.ended(), 0, terminal.text);
    const address = 'https://dev.credicorp.co.uk/api-reference/errors.html#company_not_found';
    assert.match(terminal.text, new RegExp(`^${address}$`, 'm'));
    assert.equal(readFileSync(join(home.path, 'opened.txt'), 'utf8'), `1\n${address}\n`);
  });

  it('never opens what is neither https nor on this machine', async () => {
    const hostile = [
      'javascript:alert(1)',
      'file:///etc/passwd',
      'http://evil.example/',
      'https://u:p@evil.example/',
      '--version',
    ];
    let at = 0;
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ id: 'app_1', status: 'created', handoff_url: hostile[at] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: `http://127.0.0.1:${port}` };
    for (at = 0; at < hostile.length; at += 1) {
      const ended = await runInside(['open', 'app', 'app_1'], env);
      assert.deepEqual([ended.status, ended.stdout], [6, ''], hostile[at]);
      assert.match(ended.stderr, /neither https nor on this machine/, hostile[at]);
    }
    end(server);
  });
});
