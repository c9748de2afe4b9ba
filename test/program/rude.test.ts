/** The built program against a rude server: the right status within the limit, and a write never twice without its key. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runInside } from '../support/inside.ts';
import { freshHome } from '../support/spawn.ts';
import { answer, type RudeServer, startRudeServer } from '../support/rude-server.ts';

const home = freshHome();
let rude: RudeServer;
before(async () => {
  rude = await startRudeServer();
});
after(async () => {
  await rude.close();
  home[Symbol.dispose]();
});

function api(method: string, path: string, ...more: string[]) {
  const env = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: rude.origin };
  const limits = ['--timeout', '300ms', '--max-retries', '1', '--json'];
  return runInside(['api', method, path, ...limits, ...more], env);
}

const CASES: [path: string, status: number, code: string][] = [
  ['/silent', 6, 'timeout'],
  ['/slow-headers', 6, 'timeout'],
  ['/slow-body', 6, 'timeout'],
  ['/half', 6, ''],
  ['/half-error', 1, 'term_out_of_range'],
  ['/reset', 6, ''],
  ['/reset-at-once', 6, 'reset'],
  ['/hang-up', 6, ''],
  ['/two-lengths', 6, ''],
  ['/endless-headers', 6, ''],
  ['/bad-gzip', 6, 'encoding'],
  ['/odd-encoding', 6, 'encoding'],
  ['/latin1', 6, 'not_utf8'],
  ['/redirect', 6, 'redirect'],
  ['/redirect-away', 6, 'redirect'],
  ['/upgrade', 6, ''],
  ['/not-http', 6, 'not_http'],
  ['/early', 1, 'payload_too_large'],
];

test('every rudeness ends in time, with its status, one error document and nothing on stdout', async () => {
  // Side by side: most of each is waiting for its own limit.
  for (let from = 0; from < CASES.length; from += 6) {
    await Promise.all(
      CASES.slice(from, from + 6).map(async ([path, status, code]) => {
        const ended = await api('GET', path);
        assert.deepEqual([ended.status, ended.stdout], [status, ''], `${path}: ${ended.stderr}`);
        const { error } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as {
          error: Record<string, unknown>;
        };
        // What broke off keeps what was understood of it.
        if (code !== '' && path !== '/half-error') assert.equal(error['code'], code, `${path}: ${ended.stderr}`);
        assert.ok(error['next'], `${path} has no next step`);
      }),
    );
  }
});

test('an unasked 100, early hints, gzip and an answer without a length are answers', async () => {
  for (const path of ['/hints', '/gzip', '/no-length']) {
    const ended = await api('GET', path);
    assert.equal(ended.status, 0, `${path}: ${ended.stderr}`);
    assert.match(ended.stdout, /"ok"/);
  }
});

test('a write that met trouble goes again under its one key, and only so', async () => {
  let count = 0;
  rude.on('/flaky', (socket) => {
    count += 1;
    if (count === 1) socket.resetAndDestroy();
    else socket.write(answer(201, '{"id":"x_1"}'));
  });
  const before = rude.requests.length;
  const ended = await api('POST', '/flaky', '-f', 'a=b');
  assert.equal(ended.status, 0, ended.stderr);
  const keys = rude.requests.slice(before).map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 2);
  assert.match(keys[0] ?? '', /^[\da-f-]{36}$/);
  assert.equal(keys[0], keys[1]);
});
