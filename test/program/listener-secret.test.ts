/** The secret that signs for the app: made once, rotated while a listener runs, named from outside, and what happens where it cannot be kept. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Vault } from '../../src/lib/auth/vaults/vault.ts';
import { memoryVault } from '../../src/lib/auth/vaults/open-vault.ts';
import type { Session } from '../../src/lib/cli/session.ts';
import { listenerSecret } from '../../src/lib/cli/webhooks/listener-secret.ts';
import { verify } from '../../src/lib/contract/signature.ts';
import { Failure } from '../../src/lib/failure.ts';
import { type RunningSandbox, startSandbox } from '../support/embedded.ts';
import { receive, type SmallApp, smallApp } from '../support/receiving.ts';
import { freshHome } from '../support/spawn.ts';
import { command, worldOf } from '../support/world.ts';

const home = freshHome();
const world = { home: home.path };
const GIVEN = 'whsec_given_at_the_start';
let sandbox: RunningSandbox;
before(async () => {
  sandbox = await startSandbox(home.path, '--seed', 'own secret');
});
after(async () => {
  await sandbox.stop();
  home[Symbol.dispose]();
});

async function value(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await command(world, ...argv);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function signedBy(seen: SmallApp['seen'][number] | undefined, secret: string): boolean {
  assert.ok(seen);
  const header = String(seen.headers['credicorp-signature']);
  return verify({ header, body: seen.body, secrets: [secret], now: Math.floor(Date.now() / 1000) }).valid;
}

test('two that ask for it first get the same one', async () => {
  const both = await Promise.all([value('webhooks', 'secret'), value('webhooks', 'secret')]);
  assert.equal(both[0], both[1]);
});

test('rotated while a listener runs: both sign, the new one first, and a second rotation drops the oldest', async () => {
  const app = await smallApp();
  const listener = receive(world, '--forward', app.url);
  await listener.next('ready');
  const oldest = await value('webhooks', 'secret');
  const old = await value('webhooks', 'secret', '--rotate');
  const fresh = await value('webhooks', 'secret', '--rotate');
  assert.equal(await value('webhooks', 'secret'), fresh);
  // The listener notices within a second.
  do {
    await value('webhooks', 'trigger', 'decision.completed', '--quiet');
    await listener.next('forwarded');
  } while (!signedBy(app.seen.at(-1), fresh) && app.seen.length < 200);
  assert.deepEqual(
    [fresh, old, oldest].map((secret) => signedBy(app.seen.at(-1), secret)),
    [true, true, false],
  );
  await listener.stop();
  await app.close();
});

for (const [how, env, flags] of [
  ['--secret-file', {}, ['--secret-file', 'given.txt']],
  ['CC_WEBHOOK_SECRET', { CC_WEBHOOK_SECRET: GIVEN }, []],
] as const) {
  test(`${how} at the start names another; its last four characters are said`, async () => {
    writeFileSync(join(home.path, 'given.txt'), `${GIVEN}\n`);
    const app = await smallApp();
    const listener = receive({ ...world, env }, '--forward', app.url, ...flags);
    await listener.next('ready');
    assert.match(listener.stderr(), /signing secret: …tart, from /);
    assert.ok(!listener.stderr().includes(GIVEN));
    await value('webhooks', 'trigger', 'decision.completed', '--quiet');
    await listener.next('forwarded');
    assert.equal(signedBy(app.seen[0], GIVEN), true);
    await listener.stop();
    await app.close();
  });
}

for (const [what, text] of [
  ['empty', '\n'],
  ['short', 'whsec_1\n'],
] as const) {
  test(`a --secret-file that is ${what} is refused before anything is registered`, async () => {
    writeFileSync(join(home.path, 'bad.txt'), text);
    const listener = receive(world, '--no-forward', '--secret-file', 'bad.txt');
    assert.equal(await listener.ended, 2);
    assert.match(listener.stderr(), /short_secret/);
    assert.equal(await value('webhooks', 'endpoints', 'list', '--quiet'), '');
  });
}

/** A session whose vault is this one. */
function sessionWith(kind: 'os' | 'memory', more: Partial<Vault>): Session {
  const vault = { ...memoryVault(), ...more };
  const identity = { account: 'work', environment: { value: 'sandbox' }, vault: kind };
  return { identity, vault: () => vault, hide: () => undefined } as unknown as Session;
}

test('a keychain that is locked: said so, and the environment is offered', async () => {
  const get = async (): Promise<never> => {
    throw new Failure('auth', 'the keychain is locked', { code: 'keychain_locked', next: 'unlock it' });
  };
  const asked = listenerSecret(worldOf(world).context, sessionWith('os', { get }));
  await assert.rejects(asked, (error: Failure) => {
    assert.equal(error.message, 'the signing secret cannot be read: the keychain is locked');
    assert.match(
      error.facts.next ?? '',
      /^unlock it; or give the signing secret in CC_WEBHOOK_SECRET or --secret-file$/,
    );
    return error.facts.code === 'keychain_locked';
  });
});

test('a secret that cannot be stored, or a credential for which nothing is: a secret of this run, said plainly', async () => {
  const set = async (): Promise<never> => {
    throw new Failure('auth', 'the keychain failed');
  };
  const { context } = worldOf(world);
  const unstored = await listenerSecret(context, sessionWith('os', { set }));
  assert.equal(unstored.kind, 'run');
  assert.equal(unstored.place, 'of this run only, because it could not be stored: the keychain failed');
  const nowhere = await listenerSecret(context, sessionWith('memory', {}));
  assert.deepEqual(
    [nowhere.kind, nowhere.place],
    ['run', 'of this run only, because nothing is kept for this credential'],
  );
  assert.notEqual(nowhere.current, unstored.current);
});

test('a refusal is explained: which secret signed, how old the signature is, the .env with another one, what to do', async () => {
  const app = await smallApp(() => 401);
  await value('webhooks', 'secret', '--dotenv', '.env');
  writeFileSync(join(home.path, '.env'), 'CC_WEBHOOK_SECRET="whsec_of_yesterday"\n');
  const listener = receive(world, '--forward', app.url);
  await listener.next('ready');
  await value('webhooks', 'trigger', 'decision.completed', '--quiet');
  const { hint } = await listener.next('retrying');
  const four = (await value('webhooks', 'secret')).slice(-4);
  assert.match(hint ?? '', new RegExp(`^signed with the secret …${four}, \\d+ s ago, from file .*local-sandbox.json`));
  assert.match(hint ?? '', /\.env holds another secret: credicorp webhooks secret --dotenv /);
  assert.ok(hint?.endsWith(`next: credicorp webhooks test --only signature --forward ${app.url}`));
  await value('webhooks', 'secret', '--dotenv', '.env');
  await value('webhooks', 'trigger', 'payment.failed', '--quiet');
  for (;;) {
    const later = await listener.next('retrying');
    if (later.event_type !== 'payment.failed') continue;
    assert.doesNotMatch(later.hint ?? '', /another secret/);
    break;
  }
  await listener.stop();
  await app.close();
});

test("--original-signature passes the sender's header on, and says what follows from it", async () => {
  const app = await smallApp();
  const listener = receive(world, '--forward', app.url, '--no-resign');
  const { endpoint_id: id } = await listener.next('ready');
  assert.match(listener.stderr(), /warning: --original-signature: .*300 s/);
  const theirs = await value('webhooks', 'secret', '--endpoint', id);
  await value('webhooks', 'trigger', 'decision.completed', '--quiet');
  await listener.next('forwarded');
  assert.equal(signedBy(app.seen.at(-1), theirs), true);
  await listener.stop();
  await app.close();
});
