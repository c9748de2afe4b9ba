/** What programs that this one starts get to know. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { editText, startSideCommand } from '../src/lib/cli/system/user-commands.ts';
import { openInBrowser } from '../src/lib/cli/system/browser.ts';
import { childEnvironment } from '../src/lib/child-environment.ts';
import { parseTunnel } from '../src/lib/webhooks/tunnels/tunnel-programs.ts';
import { freshHome, root } from './support/spawn.ts';
import { worldOf } from './support/world.ts';

const SECRETS = {
  CC_CLIENT_ID: 'cid_sbx_1',
  CC_CLIENT_SECRET: 'csk_sbx_never_shown',
  CREDICORP_SECRET_KEY: 'sk_test_never_shown',
  CC_WEBHOOK_SECRET: 'whsec_never_shown',
  CREDICORP_STORE_PASSPHRASE: 'never shown',
  CC_SOMETHING_NEW: 'never shown',
};

/** A program of this name that writes its environment into a file. */
function program(folder: string, name: string): string {
  const seen = join(folder, `${name}.env`);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const path = join(folder, 'bin', name);
  writeFileSync(
    path,
    `#!/bin/sh\nenv > '${seen}'\n${name === 'cloudflared' ? 'echo https://a.trycloudflare.com' : ''}\n`,
  );
  chmodSync(path, 0o755);
  return seen;
}

function worldWith(folder: string, env: Record<string, string> = {}) {
  const PATH = `${join(folder, 'bin')}:${process.env['PATH']}`;
  return worldOf({ home: folder, terminal: true, env: { ...SECRETS, PATH, ...env } }).context;
}

const ours = (text: string): string[] => text.split('\n').filter((line) => /^(?:CC|CREDICORP)_/.test(line));

describe('no child inherits a secret of ours', () => {
  it('keeps places and choices, drops every other variable of ours, adds what is asked for', () => {
    const env = { ...SECRETS, CREDICORP_STATE_DIR: '/s', HOME: '/h', cc_client_secret: 'never shown' };
    const extra = { CC_WEBHOOK_SECRET: 'whsec_app' };
    assert.deepEqual(childEnvironment(env, extra), { CREDICORP_STATE_DIR: '/s', HOME: '/h', ...extra });
  });

  it('the browser opener', async () => {
    using home = freshHome();
    const seen = program(home.path, 'xdg-open');
    assert.equal(await openInBrowser(worldWith(home.path), 'https://example.com/'), true);
    assert.deepEqual(ours(readFileSync(seen, 'utf8')), []);
  });

  it('the editor', async () => {
    using home = freshHome();
    const seen = program(home.path, 'ed');
    await editText(worldWith(home.path, { EDITOR: 'ed' }), 'body.json', '{}');
    assert.deepEqual(ours(readFileSync(seen, 'utf8')), []);
  });

  it('a tunnel', async () => {
    using home = freshHome();
    const seen = program(home.path, 'cloudflared');
    const tunnel = parseTunnel('cloudflared', { env: worldWith(home.path).env });
    const { close } = await tunnel.open(4, new AbortController().signal, null);
    await close();
    assert.deepEqual(ours(readFileSync(seen, 'utf8')), []);
  });

  it('the command of --exec gets the secret of the app and nothing else of ours', async () => {
    using home = freshHome();
    const seen = program(home.path, 'check');
    const beside = startSideCommand(worldWith(home.path), 'check', { CC_WEBHOOK_SECRET: 'whsec_app' });
    assert.equal(await beside.ended, 0);
    assert.deepEqual(ours(readFileSync(seen, 'utf8')), ['CC_WEBHOOK_SECRET=whsec_app']);
  });

  it('every spawn in the sources makes its environment by that function', async () => {
    let spawns = 0;
    for await (const file of glob('src/**/*.ts', { cwd: root })) {
      for (const [call] of (await readFile(join(root, file), 'utf8')).matchAll(
        /\b(?:spawn|spawnSync|fork|exec\w*Sync|execFile)\((?:[^;]*?)\);|\bspawn\([^;]*;/g,
      )) {
        spawns += 1;
        // A literal inherits nothing.
        assert.match(
          call,
          /env: (?:(?:childEnvironment|helperEnvironment)\(|\{ [A-Z_]+: '\w+' \})/,
          `${file}: ${call}`,
        );
      }
    }
    assert.ok(spawns >= 7, `${spawns} found`);
  });
});
