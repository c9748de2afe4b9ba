/** `webhooks listen --inspect` with a real sandbox, listener and app: what the page receives, shows and replays. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { signatureHeader, verify } from '../../src/lib/contract/signature.ts';
import type { ListRow } from '../../src/lib/inspector/delivery-list.ts';
import { ask, openPage } from '../inspector/support.ts';
import { startSandbox, type RunningSandbox } from '../support/embedded.ts';
import { post, receive, type Receiving, smallApp, type SmallApp } from '../support/receiving.ts';
import { freshHome } from '../support/spawn.ts';
import { command } from '../support/world.ts';

const home = freshHome();
const world = { home: home.path };
const now = (): number => Math.floor(Date.now() / 1000);
let sandbox: RunningSandbox;
let app: SmallApp;
let listener: Receiving;
let secret = '';
/** What the sender signs with. */
let endpointSecret = '';
let url = '';

before(async () => {
  sandbox = await startSandbox(home.path, '--seed', 'inspect');
  app = await smallApp();
  listener = receive(world, '--forward', app.url, '--inspect');
  const ready = await listener.next('ready');
  ({ url } = ready);
  endpointSecret = (await command(world, 'webhooks', 'secret', '--endpoint', ready.endpoint_id)).stdout.trim();
  secret = (await command(world, 'webhooks', 'secret')).stdout.trim();
});
after(async () => {
  await listener.stop();
  await app.close();
  await sandbox.stop();
  home[Symbol.dispose]();
});

/** Its origin and token, from the line on stderr. */
function addressOf({ stderr }: Receiving): { origin: string; token: string } {
  const found = /^inspect: (http:\/\/127\.0\.0\.1:\d+)\/#([0-9a-f]{32}) /m.exec(stderr());
  assert.ok(found, stderr());
  return { origin: found[1] ?? '', token: found[2] ?? '' };
}

interface Detail {
  row: ListRow;
  headers: [string, string][];
  body: { text: string; pretty: string };
  steps: { state: string }[];
  refusal: { meaning: string } | null;
  attempts: { kind: string; status: number; answer: string; attempt: number }[];
}

async function detailOf(key: string): Promise<Detail> {
  const { origin, token } = addressOf(listener);
  const { status, text } = await ask(origin, `/deliveries/${key}`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(status, 200, text);
  assert.ok(!text.includes(secret) && !text.includes(endpointSecret), 'no secret reaches the page');
  return JSON.parse(text) as Detail;
}

async function pageOf(of: Receiving) {
  const { origin, token } = addressOf(of);
  return openPage(origin, { token });
}

test('a delivery: in the list with its result, in full with its exact body, signature check and attempts', async () => {
  const page = await pageOf(listener);
  const result = await command(
    world,
    'webhooks',
    'trigger',
    'decision.completed',
    '--set',
    'data.n=9007199254740993',
    '-q',
  );
  const id = result.stdout.trim();
  const rowOf = (): ListRow | undefined => [...page.rows.values()].find((row) => row.event_id === id);
  await page.until(() => rowOf()?.targets[0]?.state === 'delivered');
  const row = rowOf();
  assert.ok(row);
  assert.deepEqual(
    [row.verdict, row.event_type, row.targets[0]?.target, row.targets[0]?.status],
    ['valid', 'decision.completed', app.url, 200],
  );
  const { body, headers, steps, attempts } = await detailOf(row.key);
  assert.equal(body.text, app.seen[0]?.body.toString());
  assert.match(body.pretty, /^\{\n  "id": "evt_/);
  assert.deepEqual(JSON.parse(body.pretty), JSON.parse(body.text));
  assert.match(headers.find(([name]) => /^credicorp-signature$/i.test(name))?.[1] ?? '', /^t=\d+,v1=\[redacted\]$/);
  assert.equal(steps.filter(({ state }) => state === 'good').length, 6);
  assert.deepEqual(
    attempts.map(({ kind, status, answer }) => [kind, status, answer]),
    [['forward', 200, 'taken']],
  );
  const facts = page.events.findLast(([event]) => event === 'facts')?.[1] as {
    environment: string;
    ready: { targets: string[] };
  };
  assert.deepEqual([facts.environment, facts.ready.targets], ['local', [app.url]]);
});

test('a replay from the page: the same event and bytes, a new delivery id and signature, and in the log', async () => {
  const page = await pageOf(listener);
  await page.until(() => page.rows.size > 0);
  const [row] = page.rows.values();
  assert.ok(row);
  const { origin, token } = addressOf(listener);
  const count = app.seen.length;
  const headers = { authorization: `Bearer ${token}`, origin, 'content-length': '0' };
  const { status, text } = await ask(origin, `/deliveries/${row.key}/replays/0`, { method: 'POST', headers });
  assert.deepEqual([status, (JSON.parse(text) as { status: number }).status], [200, 200]);
  assert.equal(app.seen.length, count + 1);
  const again = app.seen.at(-1);
  assert.ok(again);
  assert.deepEqual(again.body, app.seen[0]?.body);
  const header = String(again.headers['credicorp-signature']);
  assert.equal(verify({ header, body: again.body, secrets: [secret], now: now() }).valid, true);
  const deliveryId = String(again.headers['credicorp-delivery']);
  assert.notEqual(deliveryId, row.delivery_id);
  await page.until(() => page.rows.get(row.key)?.replays === 1);
  assert.deepEqual(
    (await detailOf(row.key)).attempts.map(({ kind }) => kind),
    ['forward', 'replay'],
  );
  const logged = await command(
    world,
    'logs',
    'tail',
    '--no-follow',
    '--source',
    'listener',
    '--since',
    '1m',
    '--field',
    'delivery_id',
  );
  assert.ok(logged.stdout.includes(deliveryId));
});

test('a forged delivery: shown with its cause and its bytes, which reach neither app nor inbox, and never sent again', async () => {
  const page = await pageOf(listener);
  const body = Buffer.from('{"id":"evt_forged","type":"payment.settled"}');
  const header = signatureHeader({ secrets: ['whsec_another_one'], t: now() - 400, body });
  assert.equal(await post(url, { 'credicorp-signature': header, authorization: 'Bearer abcdefghijklmn' }, body), 400);
  await page.until(() => page.rows.has('r1'));
  assert.deepEqual([page.rows.get('r1')?.verdict, page.rows.get('r1')?.cause], ['rejected', 'wrong_secret']);
  const { body: shown, headers, steps, refusal } = await detailOf('r1');
  assert.equal(shown.text, body.toString());
  assert.equal(headers.find(([name]) => name === 'authorization')?.[1], 'Bearer [redacted]');
  assert.deepEqual(steps.map(({ state }) => state).slice(-2), ['bad', 'bad']);
  assert.match(refusal?.meaning ?? '', /no common mistake/);
});

test('hostile text stays text, in JSON that no browser renders as a page', async () => {
  const page = await pageOf(listener);
  const type = '<script>alert(1)</script>';
  const body = Buffer.from(
    JSON.stringify({ id: '"><img src=x onerror=alert(1)>', type, data: { object: { id: '</td>' } } }),
  );
  const header = signatureHeader({ secrets: [endpointSecret], t: now(), body });
  assert.equal(await post(url, { 'credicorp-signature': header, 'x-evil': '<svg onload=alert(1)>' }, body), 200);
  await page.until(() => [...page.rows.values()].some((row) => row.event_type === type));
  const { origin } = addressOf(listener);
  const { text, headers } = await ask(origin, '/');
  assert.doesNotMatch(text, /alert/);
  assert.match(String(headers['content-security-policy']), /require-trusted-types-for 'script'/);
});

test('stdout has events only; a port in use ends the command before anything is registered', async () => {
  assert.doesNotMatch(JSON.stringify(listener.events), /inspect/);
  const blocker = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  const address = blocker.address();
  const port = String(typeof address === 'object' ? address?.port : 0);
  const registered = await command(world, 'webhooks', 'endpoints', 'list', '-q');
  const result = await command(world, 'webhooks', 'listen', '--forward', app.url, `--inspect=${port}`, '--json');
  blocker.close();
  assert.deepEqual([result.status, result.stdout], [2, '']);
  assert.match(result.stderr, new RegExp(`port ${port} is in use.*--inspect`));
  assert.equal((await command(world, 'webhooks', 'endpoints', 'list', '-q')).stdout, registered.stdout);
  assert.equal((await command(world, 'webhooks', 'listen', '--forward', app.url, '--inspect=70000')).status, 2);
});

test('the page is told that the listener ended, its port closes, and the next listener’s page begins with the same deliveries', async () => {
  const page = await pageOf(listener);
  await page.until(() => page.states.at(-1) === 'live');
  assert.equal(await listener.stop(), 0);
  await page.over;
  assert.equal(page.states.at(-1), 'ended');
  await assert.rejects(ask(addressOf(listener).origin, '/'), /ECONNREFUSED/);
  const next = receive(world, '--no-forward', '--inspect');
  await next.next('ready');
  const fresh = await pageOf(next);
  await fresh.until(() => fresh.rows.size >= 2);
  assert.deepEqual(
    [...fresh.rows.values()].filter(({ verdict }) => verdict === 'rejected'),
    [],
    'what was refused is not kept',
  );
  assert.equal(await next.stop(), 0);
});
