/** The caller's side of the helper: whatever the helper does, an answer comes within the limit. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { askKeychain } from '../../src/lib/auth/keychain.ts';
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

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
    const pidFile = join(folder, 'pid');
    for (const answer of ['{"results":[null]}\\n', '']) {
      const lingering = `writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); writeSync(1, '${answer}'); setInterval(() => {}, 1e6);`;
      await ask(helper(lingering), 2000).catch(() => undefined);
      const pid = Number(readFileSync(pidFile, 'utf8'));
      for (let tries = 0; tries < 200 && isAlive(pid); tries += 1) await pause(10);
      assert.equal(isAlive(pid), false);
    }
  });
  it('ignores SIGTERM', async () => {
    const stubborn = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6);`;
    await assert.rejects(ask(helper(stubborn)), failure('keychain_timeout', /did not start/));
  });
  it('dies', async () => {
    await assert.rejects(
      ask(helper(`process.kill(process.pid, 'SIGSEGV');`), 5000),
      failure('keychain_failed', /ended without/),
    );
    await assert.rejects(ask(helper(``), 5000), failure('keychain_failed', /ended without/));
  });
  it('talks nonsense', async () => {
    await assert.rejects(
      ask(helper(`writeSync(1, '{"resu\\n');`), 5000),
      failure('keychain_failed', /answer that is none/),
    );
    await assert.rejects(
      ask(helper(`writeSync(1, 'null\\n');`), 5000),
      failure('keychain_failed', /answer that is none/),
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

it('an answer that lies in the pipe already counts, however late it is read', async () => {
  const answer = askKeychain([{ do: 'get', account: 'a' }], {
    command: helper(`setTimeout(() => writeSync(1, '{"results":["x"]}\\n'), 150);`),
    env: {},
    limitMs: 400,
    startMs: 400,
  });
  const result = answer.results();
  // Long enough that the helper has started, and said both.
  await new Promise((resolve) => setTimeout(resolve, 120));
  const until = performance.now() + 900;
  while (performance.now() < until);
  assert.deepEqual(await result, ['x']);
});
