/** The webhook commands against an embedded sandbox, in this process; what must be a process of its own is one. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findProvider } from '../../src/lib/auth/providers/provider.ts';
import { signatureHeader, verify } from '../../src/lib/contract/signature.ts';
import { signedHeaders } from '../../src/lib/contract/webhook-scheme.ts';
import { startSandbox, type RunningSandbox } from '../support/embedded.ts';
import { post, receive, smallApp } from '../support/receiving.ts';
import { finish, freshHome, root, start } from '../support/spawn.ts';
import { command, type Said } from '../support/world.ts';

const home = freshHome();
let sandbox: RunningSandbox;
const world = { home: home.path };
const run = (...argv: string[]): Promise<Said> => command(world, ...argv);
const value = async (...argv: string[]): Promise<string> => {
  const said = await run(...argv);
  assert.equal(said.status, 0, `${argv.join(' ')}: ${said.stderr}`);
  return said.stdout.trim();
};
const json = async (...argv: string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await value(...argv, '--json')) as Record<string, unknown>;
const file = (name: string, text: string): string => {
  writeFileSync(join(home.path, name), text);
  return join(home.path, name);
};
const now = (): number => Math.floor(Date.now() / 1000);

before(async () => {
  sandbox = await startSandbox(home.path, '--seed', 'webhooks');
});
after(async () => {
  await sandbox.stop();
  home[Symbol.dispose]();
});

test('endpoints: created with a secret that is printed once and kept, changed, rotated, deleted', async () => {
  const url = 'http://127.0.0.1:9/hook';
  const said = await run(
    'webhooks',
    'endpoints',
    'create',
    '--url',
    url,
    '--events',
    'decision.*, payment.settled',
    '--json',
  );
  assert.equal(said.status, 0);
  assert.match(said.stderr, /shown once/);
  const created = JSON.parse(said.stdout) as Record<string, unknown>;
  const id = String(created['id']);
  assert.deepEqual(created['enabled_events'], ['decision.*', 'payment.settled']);
  assert.equal(await value('webhooks', 'secret', '--endpoint', id), created['secret']);
  const got = await json('webhooks', 'endpoints', 'get', id);
  assert.equal('secret' in got, false, 'the server never shows it again');
  assert.equal((await json('webhooks', 'endpoints', 'update', id, '--status', 'disabled'))['status'], 'disabled');
  assert.equal((await run('webhooks', 'endpoints', 'update', id)).status, 2);
  const rotated = await json('webhooks', 'endpoints', 'rotate', id);
  assert.notEqual(rotated['secret'], created['secret']);
  assert.equal(await value('webhooks', 'secret', '--endpoint', id), rotated['secret']);
  assert.ok((await value('webhooks', 'endpoints', 'list', '--quiet')).split('\n').includes(id));
  const dry = await json('webhooks', 'endpoints', 'delete', id, '--dry-run');
  assert.deepEqual([dry['method'], dry['dry_run']], ['DELETE', true]);
  assert.deepEqual(await json('webhooks', 'endpoints', 'delete', id), { id, deleted: true });
  assert.equal((await run('webhooks', 'endpoints', 'get', id)).status, 3);
  assert.equal((await run('webhooks', 'secret', '--endpoint', id)).status, 2, 'its secret is forgotten');
  assert.equal((await run('webhooks', 'endpoints', 'create', '--url', 'http://example.com/hook')).status, 2);
});

test('the secret of the listener: made once, whole on a terminal only, written into an env file beside its other lines', async () => {
  const shown = await value('webhooks', 'secret');
  assert.match(shown, /^whsec_[0-9a-f]{48}$/);
  const listener = receive(world, '--no-forward');
  await listener.next('ready');
  assert.ok(
    listener
      .stderr()
      .includes(`signing secret: …${shown.slice(-4)} (the same in every run; see: credicorp webhooks secret)`),
  );
  assert.doesNotMatch(listener.stderr(), /whsec_/);
  assert.equal(await value('webhooks', 'secret'), shown, 'while it runs');
  assert.equal(await listener.stop(), 0);
  assert.equal(await value('webhooks', 'secret'), shown, 'and after');
  const onTerminal = receive({ ...world, terminal: true }, '--no-forward');
  await onTerminal.next('ready');
  assert.ok(onTerminal.stderr().includes(`signing secret: ${shown}   (the same in every run)`));
  await onTerminal.stop();
  const env = file('.env', '# mine\r\nexport A=1\r\nCC_WEBHOOK_SECRET = old # note\r\nB="2"\r\n');
  chmodSync(env, 0o640);
  await value('webhooks', 'secret', '--dotenv', '.env');
  assert.equal(readFileSync(env, 'utf8'), `# mine\r\nexport A=1\r\nCC_WEBHOOK_SECRET = ${shown}\r\nB="2"\r\n`);
  assert.equal(statSync(env).mode & 0o777, 0o640);
  await value('webhooks', 'secret', '--env-file', 'new.env', '--name', 'HOOK_SECRET');
  assert.equal(readFileSync(join(home.path, 'new.env'), 'utf8'), `HOOK_SECRET=${shown}\n`);
  assert.equal(statSync(join(home.path, 'new.env')).mode & 0o777, 0o600);
  assert.equal((await run('webhooks', 'secret', '--dotenv', '.env', '--name', 'A B')).status, 2);
});

test('sign and verify agree; two secrets make two v1; the body may come on stdin', async () => {
  const [old, fresh] = [file('old.txt', 'whsec_old\n'), file('new.txt', 'whsec_new')];
  const body = file('body.json', '{"id":"evt_1"}');
  const header = await value(
    'webhooks',
    'sign',
    body,
    '--secret-file',
    fresh,
    '--secret-file',
    old,
    '--at',
    '1751619922',
  );
  const bytes = Buffer.from('{"id":"evt_1"}');
  assert.equal(header, signatureHeader({ secrets: ['whsec_new', 'whsec_old'], t: 1_751_619_922, body: bytes }));
  const piped = await command(
    { ...world, input: '{"id":"evt_1"}' },
    'webhooks',
    'sign',
    '--secret-file',
    fresh,
    '--at',
    '1751619922',
  );
  assert.equal(piped.stdout, `${header.split(',v1=').slice(0, 2).join(',v1=')}\n`);
  const at = ['--at', '1751619925'];
  const warned = await json('webhooks', 'verify', body, '--secret-file', fresh, '--header', header, ...at);
  assert.deepEqual([warned['valid'], warned['warnings'], warned['age_seconds']], [true, ['last_v1_only'], 3]);
  const env = { CC_WEBHOOK_SECRET: ' whsec_old' };
  const padded = await command(
    { ...world, env },
    'webhooks',
    'verify',
    body,
    `--header=Credicorp-Signature: ${header}`,
    ...at,
  );
  assert.deepEqual([padded.status, padded.stdout], [7, '']);
  assert.match(padded.stderr, /white space[\s\S]*whitespace_in_secret[\s\S]*remove the space/);
  const person = await command(
    { ...world, terminal: true },
    'webhooks',
    'verify',
    body,
    '--secret-file',
    old,
    '--header',
    header,
    ...at,
  );
  assert.equal(person.stdout, 'genuine: signed 3 s ago\n');
});

test('verify shows the age of the signature, and what else is wrong', async () => {
  const secret = file('one.txt', 'whsec_one');
  const body = file('b.json', '{}');
  const header = await value('webhooks', 'sign', body, '--secret-file', secret, '--at', '1000000');
  const stale = await run('webhooks', 'verify', body, '--secret-file', secret, '--header', header, '--at', '1000612');
  assert.equal(stale.status, 7);
  assert.match(stale.stderr, /too old \(612 s old\)/);
  const both = await run(
    'webhooks',
    'verify',
    body,
    '--secret-file',
    file('two.txt', 'whsec_two'),
    '--header',
    header,
    '--at',
    '1000612',
    '--json',
  );
  const { error } = JSON.parse(both.stderr) as { error: Record<string, unknown> & { last: Record<string, unknown> } };
  assert.deepEqual(
    [error['code'], error.last['also'], error.last['skew_seconds']],
    ['wrong_secret', ['stale_timestamp'], 612],
  );
});

test('verify --provider acountpay: both generations, and their failures by the same names', async () => {
  const [secret, body] = [file('acount.txt', 'acount_secret'), file('acount.json', '{"event":"payment.completed"}')];
  const bytes = readFileSync(body);
  const at = ['--secret-file', secret, '--at', '1751619925', '--json'];
  const t = 1_751_619_922;
  const headersOf = (name: string): Record<string, string> =>
    signedHeaders(findProvider(name, '/nonexistent').webhooks, { secrets: ['acount_secret'], t, body: bytes });
  const first = headersOf('acountpay');
  const second = headersOf('acountpay-v2');
  const judged = await json(
    ...['webhooks', 'verify', body, '--provider', 'acountpay', '--timestamp', String(t)],
    ...['--header', `X-AcountPay-Signature: ${first['x-acountpay-signature']}`, ...at],
  );
  assert.deepEqual([judged['valid'], judged['age_seconds']], [true, 3]);
  const old = await run(
    ...['webhooks', 'verify', body, '--provider', 'acountpay', '--timestamp', '1751610000'],
    ...['--header', first['x-acountpay-signature'] ?? '', ...at],
  );
  assert.equal(old.status, 7);
  assert.match(old.stderr, /"code":"wrong_secret".*"stale_timestamp"/);
  const bare = [
    'webhooks',
    'verify',
    body,
    '--provider',
    'acountpay-v2',
    '--header',
    second['x-webhook-signature'] ?? '',
  ];
  assert.deepEqual((await json(...bare, ...at))['warnings'], ['no_replay_protection']);
});

test('send: signed, posted once, the answer printed; --exit-status', async () => {
  let status = 200;
  const app = await smallApp(() => status);
  const secret = file('send.txt', 'whsec_send');
  const body = file('send.json', '{"id":"evt_9","type":"payment.settled", "odd" : 1.0}');
  const sent = await json('webhooks', 'send', body, '--forward', app.url, '--secret-file', secret);
  assert.deepEqual([sent['status'], sent['event_id'], sent['answer']], [200, 'evt_9', 'taken']);
  const [seen] = app.seen;
  assert.ok(seen);
  assert.equal(seen.body.toString(), '{"id":"evt_9","type":"payment.settled", "odd" : 1.0}');
  const header = String(seen.headers['credicorp-signature']);
  assert.equal(verify({ header, body: seen.body, secrets: ['whsec_send'], now: now() }).valid, true);
  status = 400;
  const refused = await run(
    'webhooks',
    'send',
    body,
    '--forward',
    app.url,
    '--secret-file',
    secret,
    '--exit-status',
    '--field',
    'status',
  );
  assert.deepEqual([refused.status, refused.stdout], [9, '400\n']);
  assert.equal(
    (await run('webhooks', 'send', body, '--forward', 'https://example.com/', '--secret-file', secret)).status,
    2,
  );
  await app.close();
});

test('trigger: a real event of the sandbox, with values set; or a signed sample, to an app', async () => {
  const listener = receive(world, '--no-forward');
  await listener.next('ready');
  const event = await json(
    'webhooks',
    'trigger',
    'decision.completed',
    '--set',
    'data.outcome=declined',
    '--set',
    'data.n=5',
  );
  const data = event['data'] as Record<string, unknown>;
  assert.deepEqual(
    [data['outcome'], (data['object'] as Record<string, unknown>)['outcome'], data['n']],
    ['declined', 'declined', 5],
  );
  assert.equal((await listener.next('received')).event_id, event['id']);
  assert.equal(
    (await value('webhooks', 'trigger', 'payment.settled', '--count', '3', '--quiet')).split('\n').length,
    3,
  );
  for (let n = 0; n < 3; n += 1) await listener.next('received');
  await listener.stop();
  const app = await smallApp();
  const told = await value(
    ...['webhooks', 'trigger', 'loan.closed', '--count', '2', '--set', 'data.object.amount=9007199254740993'],
    '--forward',
    app.url,
    '--field',
    'status',
  );
  assert.equal(told, '200\n200');
  const ids = app.seen.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id);
  assert.equal(new Set(ids).size, 2);
  assert.match(app.seen[0]?.body.toString() ?? '', /"amount":9007199254740993[,}]/);
  await app.close();
  const wrong = await run('webhooks', 'trigger', 'decision.complete');
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /did you mean decision\.completed/);
  assert.equal((await run('webhooks', 'trigger', 'decision.completed', '--set', 'id=x', '--forward', '9/x')).status, 2);
  const env = { CC_SECRET_KEY: 'sk_test_abc', CC_BASE: 'https://sandbox.credicorp.co.uk' };
  const hosted = await command({ ...world, env }, 'webhooks', 'trigger', 'decision.completed');
  assert.equal(hosted.status, 2);
  assert.match(hosted.stderr, /--forward/);
});

test('expect: 0 and the events when seen, 8 when not; values and counts', async () => {
  const listener = receive(world, '--no-forward');
  await listener.next('ready');
  const since = ['--since', new Date().toISOString()];
  const waiting = run(
    'webhooks',
    'expect',
    '--type',
    'account.*',
    '--where',
    'data.arrears_pence=77',
    '--count',
    '2',
    ...since,
    '--timeout',
    '20s',
    '--json',
  );
  await value('webhooks', 'trigger', 'account.updated', '--quiet');
  const wanted = (
    await value('webhooks', 'trigger', 'account.updated', '--set', 'data.arrears_pence=77', '--count', '2', '--quiet')
  ).split('\n');
  const seen = await waiting;
  assert.equal(seen.status, 0, seen.stderr);
  const events = seen.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; event: { type: string } });
  assert.deepEqual(new Set(events.map(({ id }) => id)), new Set(wanted));
  assert.ok(events.every(({ event }) => event.type === 'account.updated'));
  const past = await run('webhooks', 'expect', '--type', 'account.updated', '--where', `id=${wanted[0]}`, '--quiet');
  assert.deepEqual([past.status, past.stdout], [0, `${wanted[0]}\n`], 'a delivery of a moment ago counts');
  await listener.stop();
  const late = await run(
    'webhooks',
    'expect',
    '--type',
    'account.updated',
    '--where',
    'data.arrears_pence=78',
    '--timeout',
    '20ms',
    '--json',
  );
  assert.deepEqual([late.status, late.stdout], [8, '']);
  assert.match(late.stderr, /"kind":"pending","code":"not_seen","message":"0 of 1 expected/);
});

test('listen --exec: starts when ready, knows the secret, and its status is ours', async () => {
  const program = file(
    'job.cjs',
    `
    const { readFileSync } = require('node:fs');
    const ready = JSON.parse(readFileSync('ready.json', 'utf8'));
    console.log('stdout of the job', ready.type, process.env.CC_WEBHOOK_SECRET.slice(0, 6));
    process.exit(5);`,
  );
  const listener = receive(
    world,
    '--no-forward',
    '--ready-file',
    'ready.json',
    '--exec',
    `"${process.execPath}" "${program}"`,
  );
  assert.equal(await listener.ended, 5);
  assert.match(listener.stderr(), /stdout of the job ready whsec_/);
  assert.deepEqual(
    listener.events.map(({ type }) => type),
    ['ready', 'closed'],
  );
  assert.doesNotMatch(readFileSync(join(home.path, 'ready.json'), 'utf8'), /whsec_/);
  file('ready.json', 'of an earlier one');
  const wrong = receive(world, '--no-forward', '--ready-file', 'ready.json', '--events', 'no.such');
  assert.notEqual(await wrong.ended, 0);
  assert.equal(existsSync(join(home.path, 'ready.json')), false, 'what an earlier listener said does not stand');
  const killed = receive(world, '--no-forward', '--exec', 'kill -9 $$');
  assert.equal(await killed.ended, 137);
  const stopped = receive(world, '--no-forward', '--exec', 'sleep 60 & wait');
  await stopped.next('ready');
  assert.equal(await stopped.stop(), 0, 'Ctrl-C ends both');
});

test('listen: wrong flags are reported before anything is registered', async () => {
  const rows: [argv: string[], says: RegExp][] = [
    [[], /--forward/],
    [['--no-forward', '--forward', '3000'], /--no-forward|--forward/],
    [['--forward', '3000', '--tunnel', 'carrier-pigeon'], /--tunnel/],
    [['--forward', '3000', '--public-url', 'http://example.com'], /--public-url/],
    [['--forward', '3000', '--public-url', 'https://example.com'], /--port/],
    [['--forward', '3000', '--chaos', 'explode=5%'], /--chaos/],
    [['--forward', '3000', '--chaos-seed', 'x'], /--chaos/],
  ];
  const before = await value('webhooks', 'endpoints', 'list', '--quiet');
  for (const [argv, says] of rows) {
    const said = await run('webhooks', 'listen', ...argv);
    assert.deepEqual([said.status, said.stdout], [2, ''], argv.join(' '));
    assert.match(said.stderr, says);
  }
  assert.equal(await value('webhooks', 'endpoints', 'list', '--quiet'), before);
  const env = { CC_SECRET_KEY: 'sk_test_abc', CC_BASE: 'https://sandbox.credicorp.co.uk' };
  const hosted = await command({ ...world, env }, 'webhooks', 'listen', '--forward', '3000');
  assert.equal(hosted.status, 2);
  assert.match(hosted.stderr, /--tunnel/);
});

test('--skip-verify warns and accepts forged deliveries; on live it is refused before anything is sent', async () => {
  const listener = receive(world, '--no-forward', '--skip-verify');
  const ready = await listener.next('ready');
  assert.equal(ready.unverified, true);
  assert.match(listener.stderr(), /warning: --skip-verify: signatures are NOT checked/);
  assert.equal(await post(ready.url, {}, Buffer.from('{"id":"evt_forged"}')), 200);
  assert.equal((await listener.next('received')).event_id, 'evt_forged');
  await listener.stop();
  const env = { CC_SECRET_KEY: 'sk_live_0123456789abcdef', CC_BASE: 'https://api.credicorp.co.uk' };
  const away = ['webhooks', 'listen', '--no-forward', '--public-url', 'https://hooks.example.com', '--port', '40123'];
  const live = await command({ ...world, env }, ...away, '--skip-verify', '--yes');
  assert.equal(live.status, 2);
  assert.match(live.stderr, /always checked on live/);
  const asked = await command({ ...world, env }, ...away);
  assert.equal(asked.status, 2);
  assert.match(asked.stderr, /on live[\s\S]*--yes/);
});

test('--chaos is reported with the seed that repeats it', async () => {
  const app = await smallApp();
  const listener = receive(world, '--forward', app.url, '--chaos', 'duplicate=100%', '--chaos-seed', 'abc');
  assert.match(String((await listener.next('ready')).chaos), /duplicate 100%/);
  assert.match(listener.stderr(), /faults are injected \(--chaos\); to repeat them: --chaos-seed abc/);
  await value('webhooks', 'trigger', 'payment.settled', '--quiet');
  await listener.next('forwarded');
  await listener.next('forwarded');
  assert.deepEqual(app.seen[0]?.body, app.seen[1]?.body);
  await listener.stop();
  await app.close();
});

test('from outside: an address of one’s own is watched like a tunnel; a program that is not installed is named with its cure', async () => {
  const probe = await smallApp();
  const { port } = probe;
  await probe.close();
  const away = ['--public-url', `http://127.0.0.1:${port}/in`, '--port', String(port)];
  const listener = receive(world, '--no-forward', '--tunnel', 'cloudflared');
  assert.equal(await listener.ended, 2);
  assert.match(listener.stderr(), /cloudflared is not installed.*"next":"install it: https:/);
  assert.equal(await value('webhooks', 'endpoints', 'list', '--quiet'), '', 'nothing was registered');
  // The path before the receiver's own is a proxy's business: without one nothing arrives, and the self-test says so at once.
  const astray = receive(world, '--no-forward', ...away);
  assert.equal((await astray.next('tunnel')).via, 'public-url');
  await astray.stop();
  const own = receive(world, '--no-forward', '--public-url', `http://127.0.0.1:${port}`, '--port', String(port));
  const ready = await own.next('ready');
  assert.ok(ready.url.startsWith(`http://127.0.0.1:${port}/`));
  await value('webhooks', 'trigger', 'payment.failed', '--quiet');
  assert.equal((await own.next('received')).event_type, 'payment.failed');
  assert.equal(await own.stop(), 0);
});

test('a secret rotated while the listener runs: nothing is refused, in the day of overlap and after it', async () => {
  const listener = receive(world, '--no-forward');
  const { endpoint_id: id } = await listener.next('ready');
  const fresh = await value('webhooks', 'endpoints', 'rotate', id, '--field', 'secret');
  await value('webhooks', 'trigger', 'loan.activated', '--quiet');
  assert.equal((await listener.next('received')).event_type, 'loan.activated', 'both secrets sign for a day');
  await value('sandbox', 'clock', 'advance', '25h');
  await value('webhooks', 'trigger', 'loan.closed', '--quiet');
  assert.equal((await listener.next('received')).event_type, 'loan.closed');
  assert.equal(await value('webhooks', 'secret', '--endpoint', id), fresh);
  assert.equal(await listener.stop(), 0);
  assert.ok(listener.events.every(({ type }) => type !== 'rejected'));
});

test('a rejected delivery is explained by the secret of another endpoint, made while the listener runs', async () => {
  const listener = receive(world, '--no-forward');
  const { url } = await listener.next('ready');
  const secret = await value('webhooks', 'endpoints', 'create', '--url', 'http://127.0.0.1:9/', '--field', 'secret');
  const body = Buffer.from('{}');
  const knock = (): Promise<number> =>
    post(url, { 'credicorp-signature': signatureHeader({ secrets: [secret], t: now(), body }) }, body);
  const causes: string[] = [];
  while (!causes.includes('secret_other_endpoint')) {
    assert.ok(causes.length < 200, 'found after looking again');
    assert.equal(await knock(), 400);
    causes.push((await listener.next('rejected')).cause);
  }
  await listener.stop();
});

test('the endpoint of a killed listener is shown by list and removed by delete --leftovers', async () => {
  const child = start(
    'bin/dev.js',
    ['webhooks', 'listen', '--no-forward', '--ready-file', join(home.path, 'left.json')],
    home.env,
  );
  const lines = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  await lines;
  const { endpoint_id: id } = JSON.parse(readFileSync(join(home.path, 'left.json'), 'utf8')) as { endpoint_id: string };
  assert.equal((await run('webhooks', 'endpoints', 'list')).stderr, '', 'while it runs there is nothing to remove');
  child.kill('SIGKILL');
  await finish(child);
  const said = await run('webhooks', 'endpoints', 'list', '--quiet');
  assert.ok(said.stdout.split('\n').includes(id));
  assert.match(said.stderr, new RegExp(`left by listeners that crashed: ${id}; .*delete --leftovers`));
  assert.equal(await value('webhooks', 'endpoints', 'delete', '--leftovers', '--quiet'), id);
  const none = await run('webhooks', 'endpoints', 'delete', '--leftovers');
  assert.deepEqual([none.status, none.stderr], [0, 'no listener left anything behind\n']);
  assert.ok(!(await value('webhooks', 'endpoints', 'list', '--quiet')).split('\n').includes(id));
});

test('the view on a terminal is lines, not documents', async () => {
  const listened = await command(
    { ...world, terminal: true, env: { NO_COLOR: '1' } },
    'webhooks',
    'listen',
    '--no-forward',
    '--exec',
    `cd "${root}"; exit 0`,
  );
  assert.equal(listened.status, 0);
  assert.match(
    listened.stdout,
    /^\d{4}-\d\d-\d\d, times at [+-]\d\d:\d\d\n\d\d:\d\d:\d\d ready {5}\* → kept in the inbox, not forwarded\n +endpoint whend_\w+; Ctrl-C ends\n.* closed {4}0 received, 0 forwarded\n$/,
  );
});
