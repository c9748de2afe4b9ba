/** The caller's side of the helper: whatever the helper does, an answer comes within the limit. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { askKeychain } from '../../src/lib/auth/keychain/keychain.ts';
import { osVault } from '../../src/lib/auth/vaults/os-vault.ts';
import { Failure } from '../../src/lib/failure.ts';
import { freshFolder } from '../support/folder.ts';

const folder = freshFolder();
let count = 0;

/** A helper that does what the script says. */
function helper(script: string): [string, ...string[]] {
  count += 1;
  const path = join(folder, `helper-${count}.mjs`);
  writeFileSync(path, `import { writeFileSync, writeSync } from 'node:fs';\n${script}`);
  return [process.execPath, path];
}

const ask = (command: [string, ...string[]], limitMs = 300, env: Record<string, string> = {}) =>
  askKeychain([{ do: 'get', account: 'a/client_secret' }], { command, env, limitMs, startMs: limitMs }).results();
const failure = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof Failure && error.kind === 'auth' && error.facts.code === code && words.test(error.message);

describe('a helper that', () => {
  it('answers', async () => {
    assert.deepEqual(await ask(helper(`writeSync(1, '{"results":["x"]}\\n');`), 5000), ['x']);
  });
  it('answers in small pieces', async () => {
    const slow = `for (const c of '{"results":["\\u00fc"]}\\n') { writeSync(1, c); }`;
    assert.deepEqual(await ask(helper(slow), 5000), ['ü']);
  });
  it('answers and then never ends', async () => {
    const stuck = `writeSync(1, '{"results":[null]}\\n'); for (;;);`;
    assert.deepEqual(await ask(helper(stuck), 5000), [null]);
  });
  it('blocks its own main thread for ever', async () => {
    const blocked = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;
    await assert.rejects(ask(helper(blocked)), failure('keychain_timeout', /did not start in 0.3 s/));
  });
  it('takes the request, and never has an answer from the keychain', async () => {
    const silent = `process.stdin.once('data', () => { writeSync(1, '\\n'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); });`;
    const [command, limits] = [helper(silent), { env: {}, limitMs: 200, startMs: 5000 }];
    const asked = askKeychain([{ do: 'get', account: 'a' }], { command, ...limits }).results();
    await assert.rejects(asked, failure('keychain_timeout', /the keychain did not answer in 0.2 s/));
  });
  it('is over is gone, whether it answered or not', async () => {
    const watch = createServer();
    await once(watch.listen(0, '127.0.0.1'), 'listening');
    const { port } = watch.address() as AddressInfo;
    for (const answer of ['{"results":[null]}\\n', '']) {
      // It holds a connection for as long as it lives, and answers once it has it.
      const lingering = `import { connect } from 'node:net'; connect(${port}, '127.0.0.1', () => writeSync(1, '${answer}'));`;
      const connected = once(watch, 'connection') as Promise<[Socket]>;
      const asked = ask(helper(lingering), 2000).catch(() => undefined);
      const [held] = await connected;
      const gone = once(held.on('error', () => undefined).resume(), 'close');
      await asked;
      await gone;
    }
    watch.close();
  });
  it('ignores SIGTERM', async () => {
    const stubborn = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6);`;
    await assert.rejects(ask(helper(stubborn)), failure('keychain_timeout', /did not start/));
  });
  it('crashes or exits', async () => {
    await assert.rejects(
      ask(helper(`process.kill(process.pid, 'SIGSEGV');`), 5000),
      failure('keychain_failed', /ended without/),
    );
    await assert.rejects(ask(helper(``), 5000), failure('keychain_failed', /ended without/));
  });
  it('answers with something other than results', async () => {
    await assert.rejects(
      ask(helper(`writeSync(1, '{"resu\\n');`), 5000),
      failure('keychain_failed', /answer could not be read/),
    );
    await assert.rejects(
      ask(helper(`writeSync(1, 'null\\n');`), 5000),
      failure('keychain_failed', /answer could not be read/),
    );
  });
  it('does not exist', async () => {
    await assert.rejects(ask(['/nonexistent/node', 'x'], 5000), failure('keychain_failed', /could not be started/));
    await assert.rejects(
      ask([process.execPath, '/nonexistent/helper.js'], 5000),
      failure('keychain_failed', /ended without/),
    );
  });
  it('reports a failure with a secret in it', async () => {
    const leaky = `writeSync(1, '{"trouble":"failed","detail":"no room for csk_sbx_Abcdef123456"}\\n');`;
    await assert.rejects(
      ask(helper(leaky), 5000),
      (error: unknown) => failure('keychain_failed', /no room for/)(error) && !String(error).includes('Abcdef123456'),
    );
  });
});

describe('secrets on their way to the helper', () => {
  it('stand neither in its arguments nor in its environment', async () => {
    const direct = helper(
      `process.stdin.once('data', (line) => writeSync(1, JSON.stringify({ results: [String(line), JSON.stringify(process.env), process.argv.join(' ')] }) + '\\n'));`,
    );
    const env = {
      PATH: '/bin',
      CC_CLIENT_SECRET: 'csk_sbx_env',
      CREDICORP_SECRET_KEY: 'sk_test_env',
      NODE_OPTIONS: '--bad',
    };
    const request = [{ do: 'set', account: 'a/client_secret', secret: 'csk_sbx_stored' }] as const;
    const [line, environment, argv] = await askKeychain(request, { command: direct, env, limitMs: 5000 }).results();
    assert.match(String(line), /csk_sbx_stored/);
    assert.doesNotMatch(`${String(environment)} ${String(argv)}`, /csk_sbx|sk_test|--bad/);
    assert.match(String(environment), /"PATH":"\/bin"/);
  });
});

it('an answer that is already in the pipe counts, however late it is read', async () => {
  const answered = join(folder, 'answered');
  const answer = askKeychain([{ do: 'get', account: 'a' }], {
    command: helper(`writeSync(1, '{"results":["x"]}\\n'); writeFileSync(${JSON.stringify(answered)}, '');`),
    env: {},
    limitMs: 400,
    startMs: 400,
  });
  const result = answer.results();
  // This process reads nothing until the helper has answered and the limit is over.
  const until = performance.now() + 500;
  while (!existsSync(answered) || performance.now() < until);
  assert.deepEqual(await result, ['x']);
});

it('one helper serves request after request of a vault, until it is gone', async () => {
  const command = helper(
    `process.stdin.on('data', () => writeSync(1, JSON.stringify({ results: [String(process.pid)] }) + '\\n'));`,
  );
  const vault = osVault({ command, env: {} });
  const first = Number(await vault.get('a', { fresh: true }));
  for (let turn = 0; turn < 2; turn += 1) assert.equal(await vault.get('a', { fresh: true }), String(first));
  process.kill(first, 'SIGKILL');
  // Its end is noticed while another request is under way at the latest.
  await vault.get('a', { fresh: true }).catch(() => undefined);
  assert.notEqual(Number(await vault.get('a', { fresh: true })), first);
});
