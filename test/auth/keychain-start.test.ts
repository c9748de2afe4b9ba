/** Which commands have the keychain's helper started ahead of them, and what becomes of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { osVault } from '../../src/lib/auth/os-vault.ts';
import { lendOnce, startHelper } from '../../src/lib/auth/keychain-start.ts';
import { willAsk } from '../../src/lib/auth/will-ask.ts';
import { freshFolder } from '../support/folder.ts';

const folder = freshFolder();
writeFileSync(
  join(folder, 'config.json'),
  JSON.stringify({
    version: 1,
    active: 'work',
    profiles: [
      { name: 'local', store: 'local' },
      { name: 'safe', store: 'file' },
      { name: 'work', store: 'os' },
    ],
  }),
);

describe('the helper is started ahead', () => {
  const table: [line: string, env: Record<string, string>, ahead: boolean][] = [
    ['apps get app_1', {}, true],
    ['api GET /partner/v1/applications', {}, true],
    ['whoami --check', {}, true],
    ['whoami --json', {}, false],
    ['apps create --dry-run', {}, false],
    ['apps get app_1 --profile work', { CREDICORP_PROFILE: 'local' }, true],
    ['--profile work --json apps get app_1', { CREDICORP_PROFILE: 'local' }, true],
    ['--profile local apps get app_1', {}, false],
    ['apps list', { CREDICORP_PROFILE: 'work' }, true],
    ['apps list', { CREDICORP_KEYCHAIN: 'os' }, true],
    ['apps list', { CC_CLIENT_SECRET: '' }, true],
    ['', {}, false],
    ['--version', {}, false],
    ['sandbox start', {}, false],
    ['apps get --help', {}, false],
    ['apps get app_1 --profile local', {}, false],
    ['apps get app_1 --profile=safe', {}, false],
    ['apps list', { CREDICORP_PROFILE: 'gone' }, false],
    ['apps list', { CREDICORP_KEYCHAIN: 'file' }, false],
    ['apps list', { CC_SECRET_KEY: 'sk_test_x' }, false],
    ['apps list', { CREDICORP_CLIENT_SECRET: 'csk_sbx_x' }, false],
  ];
  for (const [line, env, ahead] of table)
    it(`${ahead ? 'for' : 'not for'}: ${line} ${Object.keys(env).join()}`, () => {
      assert.equal(willAsk(line.split(' '), env, folder), ahead);
    });

  it('never without profiles, or with a file that is damaged', () => {
    const other = join(folder, 'other');
    assert.equal(willAsk(['apps', 'get'], {}, other), false);
    for (const text of ['', 'null', '[]', '{"active":"work","profiles":7}', '{"active":"work","profiles":[null]}']) {
      const here = freshFolder();
      writeFileSync(join(here, 'config.json'), text);
      assert.equal(willAsk(['apps', 'get'], {}, here), false, text);
    }
  });
});

const echo = join(folder, 'echo.mjs');
writeFileSync(
  echo,
  `process.stdin.on('data', () => process.stdout.write(JSON.stringify({ results: [String(process.pid)] }) + '\\n')); process.stdin.on('close', () => process.exit());`,
);
const command = [process.execPath, echo] as const;
const vaultWith = (started: () => ReturnType<typeof startHelper> | null) =>
  osVault({ command: [...command] as [string, ...string[]], env: {}, started });
const ask = async (started: () => ReturnType<typeof startHelper> | null): Promise<number> =>
  Number(await vaultWith(started).get('a'));

describe('a helper that was started ahead', () => {
  it('answers the first who asks; the next gets one of its own', async () => {
    const helper = startHelper(command, {});
    const lend = lendOnce(helper, () => 0);
    assert.equal(await ask(lend), helper.pid);
    assert.notEqual(await ask(lend), helper.pid);
  });

  it('serves the same vault again and again, until it is gone', async () => {
    const helper = startHelper(command, {});
    const vault = vaultWith(lendOnce(helper, () => 0));
    for (let turn = 0; turn < 3; turn += 1) assert.equal(await vault.get('a', { fresh: true }), String(helper.pid));
    const gone = once(helper, 'exit');
    helper.kill('SIGKILL');
    await gone;
    assert.notEqual(await vault.get('a', { fresh: true }), String(helper.pid));
  });

  it('and is gone, or could not be started, is replaced', async () => {
    const dead = startHelper(command, {});
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    assert.ok((await ask(lendOnce(dead, () => 0))) > 0);
    assert.ok((await ask(lendOnce(startHelper(['/nonexistent/node', 'x'], {}), () => 0))) > 0);
  });

  it('and is old is ended and replaced', async () => {
    const old = startHelper(command, {});
    let now = 0;
    const lend = lendOnce(old, () => now);
    now = 10_000;
    const gone = once(old, 'exit');
    assert.notEqual(await ask(lend), old.pid);
    await gone;
  });
});
