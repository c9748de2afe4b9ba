/** Every published signature case through `webhooks verify`. Through a live receiver: test/webhooks/listen/receiver.test.ts. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startSandbox, type RunningSandbox } from '../support/embedded.ts';
import { runInside } from '../support/inside.ts';
import { freshHome } from '../support/spawn.ts';
import { type SignatureCase, signatureCases } from '../support/vectors.ts';
import { command, type Said } from '../support/world.ts';

const home = freshHome();
let sandbox: RunningSandbox;
before(async () => {
  sandbox = await startSandbox(home.path, '--seed', 'verify');
});
after(async () => {
  await sandbox.stop();
  home[Symbol.dispose]();
});

test('there are 98 cases', () => assert.equal(signatureCases.length, 98));

/** A home in which the case's other secrets are stored, as if endpoints of this and of another profile had been made there. */
function storeOthers(vector: SignatureCase, folder: string): void {
  const config = join(folder, '.config', 'credicorp');
  const state = join(folder, '.local', 'state', 'credicorp');
  const rows = [
    ...(vector.other_endpoint_secrets ?? []).map((secret) => ({ secret, account: 'local', environment: 'local' })),
    ...(vector.other_environment_secrets ?? []).map((secret) => ({ secret, account: 'acme', environment: 'sandbox' })),
  ].map((row, n) => ({ ...row, id: `whend_${n}` }));
  for (const path of [config, state]) mkdirSync(path, { recursive: true });
  const secrets = Object.fromEntries(rows.map(({ account, id, secret }) => [`${account}/webhook/${id}`, secret]));
  const list = rows.map(({ account, environment, id }) => ({ account, environment, id, vault: 'local' }));
  writeFileSync(join(config, 'local-sandbox.json'), JSON.stringify(secrets));
  writeFileSync(join(state, 'webhook-endpoints.json'), JSON.stringify(list));
}

/** Files of a case: its body, its secrets, and the flags that name them. */
function filesOf(vector: SignatureCase, folder: string): string[] {
  writeFileSync(join(folder, 'body'), Buffer.from(vector.body_base64, 'base64'));
  const secrets = vector.secrets.flatMap((secret, n) => {
    // One line end belongs to the file, whatever the secret itself ends in.
    writeFileSync(join(folder, `secret-${n}`), `${secret}\n`);
    return ['--secret-file', join(folder, `secret-${n}`)];
  });
  const header = vector.header === null ? [] : [`--header=${vector.header}`];
  return [join(folder, 'body'), ...secrets, ...header, '--at', String(vector.now)];
}

/** A profile `local` without a running sandbox: verifying is offline. */
function pinLocal(folder: string, base = 'http://127.0.0.1:9'): void {
  const config = join(folder, '.config', 'credicorp');
  mkdirSync(config, { recursive: true });
  const profile = {
    ...{ name: 'local', provider: 'credicorp', environment: 'local', base },
    ...{ mode: 'oauth', clientId: 'cid_sbx_local', store: 'local' },
  };
  writeFileSync(join(config, 'config.json'), JSON.stringify({ version: 1, active: 'local', profiles: [profile] }));
}

function judge(
  vector: SignatureCase,
  { status, stdout, stderr }: Pick<Said, 'stdout' | 'stderr'> & { status: number | null },
): void {
  if (vector.expected === 'valid') {
    assert.deepEqual([status, stderr], [0, '']);
    const verdict = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([verdict['valid'], verdict['warnings']], [true, vector.warnings ?? []]);
    assert.deepEqual(
      [verdict['timestamp'], verdict['age_seconds']],
      [vector.timestamp, vector.now - (vector.timestamp ?? 0)],
    );
    return;
  }
  assert.deepEqual([status, stdout], [7, '']);
  const { error } = JSON.parse(stderr) as {
    error: { kind: string; code: string; next: string; last: Record<string, unknown> };
  };
  assert.deepEqual([error.kind, error.code], ['bad_signature', vector.expected]);
  assert.deepEqual(error.last['also'], vector.also ?? []);
  if (vector.skew_seconds !== undefined) assert.equal(error.last['skew_seconds'], vector.skew_seconds);
  assert.ok(error.next.length > 0);
  for (const secret of vector.secrets) assert.ok(!stderr.includes(secret.trim()));
}

describe('offline', () => {
  for (const vector of signatureCases) {
    test(vector.name, async () => {
      using own = freshHome();
      pinLocal(own.path);
      storeOthers(vector, own.path);
      judge(vector, await command({ home: own.path }, 'webhooks', 'verify', ...filesOf(vector, own.path), '--json'));
    });
  }
});

describe('by the built program', () => {
  const chosen = ['single_v1', 'secret_trailing_newline', 'secret_of_other_endpoint', 'secret_of_other_environment'];
  for (const vector of signatureCases.filter(({ name }) => chosen.includes(name))) {
    test(vector.name, async () => {
      using own = freshHome();
      pinLocal(own.path);
      storeOthers(vector, own.path);
      judge(vector, await runInside(['webhooks', 'verify', ...filesOf(vector, own.path), '--json'], own.env));
    });
  }
});
