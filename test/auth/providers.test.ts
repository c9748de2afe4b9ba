import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findProvider, PROVIDER_NAMES } from '../../src/lib/auth/providers/provider.ts';
import { DOCUMENTED_VALUES } from '../../src/lib/cli/flags.ts';
import { CREDICORP_HOSTS, DEFAULT_BASES } from '../../src/lib/contract/environments.ts';
import { Failure } from '../../src/lib/failure.ts';
import { freshFolder } from '../support/folder.ts';

const usageWith = (code: string) => (error: unknown) =>
  error instanceof Failure && error.kind === 'usage' && error.facts.code === code;
const home = new URL('../../src/lib/auth/providers/', import.meta.url);

function configWith(name: string, text: string): string {
  const config = freshFolder();
  mkdirSync(join(config, 'providers'));
  writeFileSync(join(config, 'providers', `${name}.json`), text);
  return config;
}

describe('providers', () => {
  it('lists every data file, and each is sound', () => {
    const files = readdirSync(home).filter((name) => name.endsWith('.json'));
    assert.deepEqual(files.map((name) => name.replace('.json', '')).sort(), [...PROVIDER_NAMES].sort());
    assert.deepEqual(DOCUMENTED_VALUES.provider, PROVIDER_NAMES, 'as they are completed');
    for (const name of PROVIDER_NAMES) {
      const builtIn = findProvider(name, '/nonexistent');
      // A further provider with the same text is parsed, a built-in one is not.
      const text = JSON.stringify({ ...builtIn, name: 'copy' });
      assert.deepEqual({ ...findProvider('copy', configWith('copy', text)), name }, builtIn);
    }
  });

  it('agrees with the contract about Credicorp', () => {
    const credicorp = findProvider('credicorp', '/nonexistent');
    assert.deepEqual(credicorp.hosts, CREDICORP_HOSTS);
    assert.deepEqual(credicorp.bases, DEFAULT_BASES);
  });

  it('a further one is one file', () => {
    const text = readFileSync(new URL('acountpay.json', home), 'utf8').replace('"acountpay"', '"third"');
    assert.equal(findProvider('third', configWith('third', text)).token?.earlySeconds, 300);
  });

  it('refuses an unknown one, and a name that is a path', () => {
    assert.throws(() => findProvider('nobody', '/nonexistent'), usageWith('unknown_provider'));
    assert.throws(() => findProvider('../../etc/passwd', '/'), usageWith('unknown_provider'));
  });

  const sound: Record<string, unknown> = JSON.parse(readFileSync(new URL('credicorp.json', home), 'utf8'));
  const soundWebhooks = sound['webhooks'] as Record<string, unknown>;
  const wrong: [what: string, change: Record<string, unknown>][] = [
    ['another name', { name: 'other' }],
    ['http base', { bases: { live: 'http://evil.example' } }],
    ['base of no environment', { bases: { prod: 'https://x.example' } }],
    ['host that claims to be local', { hosts: { 'evil.example': 'local' } }],
    ['no token with client credentials', { token: null }],
    ['headers without names', { authentication: 'headers' }],
    ['token path that is a URL', { token: { path: 'https://evil.example', discovery: true } }],
    ['header name with a line break', { headers: { clientId: 'x\r\ny', clientSecret: null, merchant: null } }],
    ...(
      [
        ['negative seconds', { toleranceSeconds: -1 }],
        ['a time that is not signed', { signed: '{body}' }],
        ['two times', { timestampHeader: 'x-time' }],
        ['a signed time that is nowhere', { signature: '{mac}' }],
        ['a tolerance without a time', { signature: '{mac}', signed: '{body}', timestamp: null }],
        ['a body that is not signed', { signed: '{t}' }],
        ['no MAC', { signature: 't={t},v1={t}' }],
        ['two MACs', { signature: 't={t},v0={mac},v1={mac}' }],
        ['a line break in a header', { signature: 'a\r\nb{mac}' }],
        ['an unknown hash', { hash: 'md5' }],
        ['an unknown member of the signed text', { signed: '{t}.{body}.{body}' }],
        ['no header', { signatureHeader: null }],
        ['paths that are none', { eventId: ['a b'] }],
      ] as const
    ).map(([what, change]): [string, Record<string, unknown>] => [what, { webhooks: { ...soundWebhooks, ...change } }]),
    ['no hosts', { hosts: undefined }],
  ];
  for (const [what, change] of wrong) {
    it(`refuses a file with ${what}`, () => {
      const config = configWith('third', JSON.stringify({ ...sound, name: 'third', ...change }));
      assert.throws(() => findProvider('third', config), usageWith('bad_provider'));
    });
  }
  it('refuses a file that is not JSON, or far too large', () => {
    assert.throws(() => findProvider('third', configWith('third', '{')), usageWith('bad_provider'));
    assert.throws(() => findProvider('third', configWith('third', ' '.repeat(70_000))), usageWith('bad_provider'));
  });
});
