/** The recording proxy with the built program, between an app and the sandbox. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { runInside } from '../support/inside.ts';
import { type Child, type Ended, finish, freshHome, seen, start } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';
import { connectProxy, tlsHost } from '../support/tls.ts';

const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runInside(args, home.env);

before(async () => {
  const started = await run('sandbox', 'start', '--background', '--port', '0', '--quiet');
  assert.equal(started.status, 0, started.stderr);
});
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

async function proxy(
  args: string[],
  env: Record<string, string> = home.env,
): Promise<{ child: Child; url: string; token: string | null }> {
  const child = start('bin/run.js', ['proxy', 'start', '--port', '0', '--json', ...args], env);
  const ready = JSON.parse(await seen(child.stdout, '\n')) as { type: string; url: string; token: string | null };
  assert.equal(ready.type, 'ready');
  return { child, url: ready.url, token: ready.token };
}

async function logged(): Promise<Record<string, unknown>[]> {
  const { stdout } = await run('logs', 'tail', '--since', '1h', '--no-follow', '--source', 'proxy', '--json');
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
}

it("an app's calls are in the log, redacted, and the app gets the host’s answers", async () => {
  const { child, url } = await proxy([]);
  const refused = await fetch(`${url}/partner/v1/applications`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_local', 'idempotency-key': 'order_1' },
    body: JSON.stringify({ term_months: 12, client_secret: 'csk_sbx_planted' }),
  });
  assert.equal(refused.status, 400);
  const { error } = (await refused.json()) as { error: { code: string; request_id: string } };
  const without = await fetch(`${url}/partner/v1/applications`);
  assert.equal(without.status, 401, 'no credential is added');
  const foreign = await fetch(`${url}/partner/v1/applications`, { headers: { origin: 'https://evil.example' } });
  assert.equal(foreign.status, 403);
  const closed = seen(child.stdout, '"closed"');
  child.kill('SIGINT');
  assert.deepEqual(JSON.parse(await closed), { type: 'closed', url, calls: 2, failed: 2 });
  assert.equal((await finish(child)).status, 0);
  const entries = await logged();
  assert.equal(entries.length, 2, 'what was refused at the door is no call');
  const [first] = entries;
  assert.deepEqual(
    [
      first?.['status'],
      first?.['error_code'],
      first?.['request_id'],
      first?.['idempotency_key'],
      first?.['environment'],
    ],
    [400, error.code, error.request_id, 'order_1', 'local'],
  );
  assert.match(JSON.stringify(first?.['request_headers']), /Bearer sk_test_\[redacted\]/);
  assert.doesNotMatch(JSON.stringify(entries), /sk_test_local|planted/);
});

it('--auth puts the profile’s token in the place of this run’s, and refuses calls without it', async () => {
  const { child, url, token } = await proxy(['--auth']);
  const list = `${url}/partner/v1/applications?limit=1`;
  assert.match(token ?? '', /^ccproxy_[\w-]{32}$/);
  assert.equal((await fetch(list, { headers: { authorization: `Bearer ${token}` } })).status, 200);
  assert.equal((await fetch(list)).status, 401);
  child.kill('SIGTERM');
  assert.equal((await finish(child)).status, 0);
  assert.doesNotMatch(JSON.stringify(await logged()), /eyJ|ccproxy_[\w-]{32}/);
});

it('--auth on live needs a yes; without --auth nothing is asked', async () => {
  const env = { ...home.env, CC_SECRET_KEY: 'sk_live_planted123', CC_BASE: 'https://api.credicorp.co.uk' };
  const refused = await runInside(['proxy', 'start', '--port', '0', '--auth', '--json'], env);
  assert.deepEqual([refused.status, refused.stdout], [2, '']);
  assert.match(refused.stderr, /live_needs_yes.*--yes/);
  assert.doesNotMatch(refused.stderr, /planted/);
  for (const args of [[], ['--auth', '--yes']]) {
    const { child } = await proxy(args, env);
    child.kill('SIGINT');
    assert.equal((await finish(child)).status, 0);
  }
});

it('--auth on live asks on a terminal, and a no starts nothing', async () => {
  const env = { ...home.env, CC_SECRET_KEY: 'sk_live_planted123', CC_BASE: 'https://api.credicorp.co.uk' };
  const terminal = openTerminal(['proxy', 'start', '--port', '0', '--auth'], env);
  await terminal.shows("LIVE: let programs that send this run's token");
  terminal.type('n\r');
  assert.equal(await terminal.ended(), 2, terminal.text);
  assert.doesNotMatch(terminal.text, /recording http/);
});

it('speaks TLS to the host, and checks its certificate', async () => {
  const host = await tlsHost(home.path, (request, response) => response.end(`${request.headers.host} ${request.url}`));
  const { port, cert } = host;
  const env = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: `https://localhost:${port}` };
  const trusting = await proxy([], { ...env, NODE_EXTRA_CA_CERTS: cert });
  assert.equal(await (await fetch(`${trusting.url}/a?b=1`)).text(), `localhost:${port} /a?b=1`);
  const wary = await proxy([], env);
  const answer = await fetch(`${wary.url}/a`);
  assert.equal(answer.status, 502);
  assert.match(await answer.text(), /the TLS connection failed/);
  const company = await connectProxy();
  const through = { ...env, NODE_EXTRA_CA_CERTS: cert, HTTPS_PROXY: `http://user:p%20w@127.0.0.1:${company.port}` };
  const [behind, round] = await Promise.all([proxy([], through), proxy([], { ...through, NO_PROXY: 'localhost' })]);
  for (const path of ['/one', '/two']) {
    assert.equal(await (await fetch(behind.url + path)).text(), `localhost:${port} ${path}`);
    assert.equal(await (await fetch(round.url + path)).text(), `localhost:${port} ${path}`);
  }
  // One way for both calls, opened with the credentials of the address; NO_PROXY goes past it.
  assert.deepEqual(company.asked, [`localhost:${port} Basic ${btoa('user:p w')}`]);
  company.refuse();
  const turned = await proxy([], through);
  const refused = await fetch(`${turned.url}/x`);
  assert.deepEqual(
    [refused.status, await refused.text()],
    [502, `credicorp proxy: no answer from localhost:${port}: the proxy refused the connection (407)\n`],
  );
  for (const address of ['127.0.0.1:3128', 'socks5://127.0.0.1:1080', 'no address']) {
    const ended = await runInside(['proxy', 'start', '--port', '0'], { ...env, HTTPS_PROXY: address });
    assert.equal(ended.status, 2, address);
    assert.match(ended.stderr, /bad_proxy\n.*correct HTTPS_PROXY/, address);
  }
  company.close();
  for (const { child } of [trusting, wary, behind, round, turned]) {
    child.kill('SIGINT');
    assert.equal((await finish(child)).status, 0);
  }
  host.close();
});

it('a port in use is a usage error', async () => {
  const { child, url } = await proxy([]);
  const second = await run('proxy', 'start', '--port', new URL(url).port);
  assert.equal(second.status, 2);
  assert.match(second.stderr, /port \d+ is in use/);
  child.kill('SIGINT');
  await finish(child);
});
