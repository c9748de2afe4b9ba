import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  assertCredentialFits,
  CREDICORP_HOSTS,
  DEFAULT_BASES,
  environmentOfBase,
  environmentOfCredential,
  environmentOfHost,
  isEnvironment,
  isLoopback,
  originOf,
  parseBase,
  parseTokenUrl,
} from '../../src/lib/contract/environments.ts';
import { Failure } from '../../src/lib/failure.ts';

const usageWith = (code: string) => (error: unknown) =>
  error instanceof Failure && error.kind === 'usage' && error.facts.code === code && error.facts.next !== undefined;

describe('environmentOfHost', () => {
  const rows: [url: string, environment: string | null][] = [
    ['https://api.credicorp.co.uk', 'live'],
    ['https://hub.credicorp.co.uk', 'live'],
    ['https://API.Credicorp.co.UK/x', 'live'],
    ['https://api.credicorp.co.uk.', 'live'],
    ['https://api.credicorp.co.uk:8443', 'live'],
    ['https://sandbox.credicorp.co.uk', 'sandbox'],
    ['https://sandbox.api.credicorp.co.uk', 'sandbox'],
    ['http://127.0.0.1:4010', 'local'],
    ['http://127.8.9.10', 'local'],
    ['http://127.1', 'local'],
    ['http://0x7f.1', 'local'],
    ['http://2130706433', 'local'],
    ['http://localhost', 'local'],
    ['http://localhost.:80', 'local'],
    ['http://[::1]:4010', 'local'],
    ['http://[0:0:0:0:0:0:0:1]', 'local'],
    ['http://127。0。0。1', 'local'],
    ['https://127.0.0.1.evil.example', null],
    ['https://localhost.evil.example', null],
    ['https://api.credicorp.co.uk.evil.example', null],
    ['https://evil.example/api.credicorp.co.uk', null],
    ['https://api.credicorp.co.uk@evil.example', null],
    ['https://evil.example#@api.credicorp.co.uk', null],
    ['https://evil.example\\@api.credicorp.co.uk', null],
    ['https://api.cred\u0456corp.co.uk', null],
    ['https://xn--api-credicorp.co.uk', null],
    ['https://api-credicorp.co.uk', null],
    ['https://credicorp.co.uk', null],
    ['https://128.0.0.1', null],
    ['https://[::2]', null],
    ['https://[::ffff:127.0.0.1]', null],
    ['https://__proto__', null],
    ['https://constructor', null],
    ['not a url', null],
  ];
  for (const [url, environment] of rows) {
    it(`${url} is ${environment ?? 'unknown'}`, () => assert.equal(environmentOfHost(url), environment));
  }

  it('takes the known hosts of another provider', () => {
    assert.equal(environmentOfHost('https://api.acountpay.com/v1', { 'api.acountpay.com': 'live' }), 'live');
    assert.equal(environmentOfHost('https://api.credicorp.co.uk', { 'api.acountpay.com': 'live' }), null);
  });

  it('knows a host only when its parsed name is in the table', () => {
    const names = new Set([...Object.keys(CREDICORP_HOSTS), 'localhost', '[::1]']);
    fc.assert(
      fc.property(fc.webUrl(), (url) => {
        const host = new URL(url).hostname.replace(/\.$/, '');
        const expected = names.has(host) || /^127(\.\d+){3}$/.test(host);
        assert.equal(environmentOfHost(url) !== null, expected);
      }),
      { numRuns: 40 },
    );
  });
});

describe('environmentOfCredential', () => {
  const rows: [text: string, environment: string | null][] = [
    ['cid_sbx_local', 'sandbox'],
    ['csk_sbx_x', 'sandbox'],
    ['sk_test_x', 'sandbox'],
    ['pk_test_x', 'sandbox'],
    ['cid_live_x', 'live'],
    ['csk_live_x', 'live'],
    ['sk_live_x', 'live'],
    ['pk_live_x', 'live'],
    [' sk_live_x\n', 'live'],
    ['cc_client_abc', null],
    ['x_sk_live_', null],
    ['cid_sbx', null],
    ['', null],
  ];
  for (const [text, environment] of rows) {
    it(`${JSON.stringify(text)} is ${environment ?? 'unmarked'}`, () =>
      assert.equal(environmentOfCredential(text), environment));
  }
});

describe('isLoopback', () => {
  for (const host of ['127.0.0.1', '127.255.255.254', 'localhost', 'LOCALHOST', 'localhost.', '::1', '[::1]']) {
    it(`${host} is`, () => assert.ok(isLoopback(host)));
  }
  for (const host of ['127.0.0.1.evil.example', '0.0.0.0', '::', '10.0.0.1', 'app.localhost', '[::ffff:7f00:1]', '']) {
    it(`${JSON.stringify(host)} is not`, () => assert.ok(!isLoopback(host)));
  }
});

describe('parseBase', () => {
  const good: [text: string, base: string][] = [
    ['https://sandbox.credicorp.co.uk', 'https://sandbox.credicorp.co.uk'],
    ['https://sandbox.credicorp.co.uk/', 'https://sandbox.credicorp.co.uk'],
    [' https://sandbox.credicorp.co.uk/partner/v1 ', 'https://sandbox.credicorp.co.uk'],
    ['https://sandbox.credicorp.co.uk/partner/v1//', 'https://sandbox.credicorp.co.uk'],
    ['HTTPS://Api.Credicorp.co.uk:443', 'https://api.credicorp.co.uk'],
    ['https://api.credicorp.co.uk.', 'https://api.credicorp.co.uk'],
    ['https://gateway.example/credicorp/partner/v1/', 'https://gateway.example/credicorp'],
    ['https://gateway.example/partner/v10', 'https://gateway.example/partner/v10'],
    ['http://localhost:4010', 'http://localhost:4010'],
    ['http://[::1]:4010/', 'http://[::1]:4010'],
    ['http://127.1:4010', 'http://127.0.0.1:4010'],
  ];
  for (const [text, base] of good) it(`${text} → ${base}`, () => assert.equal(parseBase(text), base));

  const bad = [
    '',
    'api.credicorp.co.uk',
    'localhost:4010',
    '//api.credicorp.co.uk',
    'ftp://api.credicorp.co.uk',
    'file:///etc/passwd',
    'http://api.credicorp.co.uk',
    'http://127.0.0.1.evil.example',
    'http://[::ffff:127.0.0.1]:4010',
    'http://0.0.0.0:4010',
    'https://user@api.credicorp.co.uk',
    'https://user:pass@api.credicorp.co.uk',
    'https://@api.credicorp.co.uk',
    'https://:@api.credicorp.co.uk',
    'https://api.credicorp.co.uk@evil.example',
    'https://api.credicorp.co.uk?x=1',
    'https://api.credicorp.co.uk/?',
    'https://api.credicorp.co.uk#',
    'https://api.credicorp.co.uk/#x',
    'https://beta.credicorp.co.uk',
    'https://beta.credicorp.co.uk.',
    'https://ww2.credicorp.co.uk',
    'https://ww2-eu.credicorp.co.uk/partner/v1',
    'https://api.credicorp.co.uk/partner/v1/applications',
    'https://api.credicorp.co.uk/partner/v1/partner/v1',
    'https://api.credi\ncorp.co.uk',
    'https://api.credicorp.co.uk/a b',
    'https://api.credicorp.co.uk:99999',
  ];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseBase(text), usageWith('bad_base')));
  }

  it('never repeats a password in the refusal', () => {
    assert.throws(
      () => parseBase('https://user:hunter2@api.credicorp.co.uk'),
      (error: unknown) => error instanceof Failure && !JSON.stringify([error.message, error.facts]).includes('hunter2'),
    );
  });

  it('gives a base that reads the same again, or refuses', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.string()), (text) => {
        let base: string;
        try {
          base = parseBase(text);
        } catch (error) {
          assert.ok(error instanceof Failure && error.kind === 'usage');
          return;
        }
        assert.equal(parseBase(base), base);
        assert.ok(!base.endsWith('/'));
      }),
    );
  });
});

describe('parseTokenUrl', () => {
  it('keeps the path', () => {
    assert.equal(
      parseTokenUrl('https://sso.credicorp.co.uk./partner/v1/oauth/token'),
      'https://sso.credicorp.co.uk/partner/v1/oauth/token',
    );
  });
  for (const text of [
    'http://sso.credicorp.co.uk/token',
    'https://a@b/token',
    'https://b/token?x',
    'https://beta.credicorp.co.uk/t',
  ]) {
    it(`refuses ${text}`, () => assert.throws(() => parseTokenUrl(text), usageWith('bad_base')));
  }
});

describe('environmentOfBase', () => {
  const good: [base: string, explicit: 'local' | 'sandbox' | 'live' | null, environment: string][] = [
    [DEFAULT_BASES.live, null, 'live'],
    [DEFAULT_BASES.live, 'live', 'live'],
    [DEFAULT_BASES.sandbox, null, 'sandbox'],
    [DEFAULT_BASES.local, null, 'local'],
    [DEFAULT_BASES.local, 'sandbox', 'sandbox'],
    ['https://gateway.example', 'sandbox', 'sandbox'],
    ['https://gateway.example', 'live', 'live'],
  ];
  for (const [base, explicit, environment] of good) {
    it(`${base} said to be ${explicit ?? 'nothing'} is ${environment}`, () =>
      assert.equal(environmentOfBase(base, explicit), environment));
  }
  const bad: [base: string, explicit: 'local' | 'sandbox' | 'live' | null][] = [
    ['https://gateway.example', null],
    ['https://gateway.example', 'local'],
    [DEFAULT_BASES.live, 'sandbox'],
    [DEFAULT_BASES.live, 'local'],
    [DEFAULT_BASES.sandbox, 'live'],
    [DEFAULT_BASES.local, 'live'],
  ];
  for (const [base, explicit] of bad) {
    it(`refuses ${base} said to be ${explicit ?? 'nothing'}`, () =>
      assert.throws(() => environmentOfBase(base, explicit), usageWith('bad_base')));
  }
});

describe('assertCredentialFits', () => {
  type Env = 'local' | 'sandbox' | 'live' | null;
  const rows: [credential: Env, url: string, explicit: Env, fits: boolean][] = [
    ['live', DEFAULT_BASES.live, null, true],
    ['live', 'https://hub.credicorp.co.uk', null, true],
    ['live', DEFAULT_BASES.sandbox, null, false],
    ['live', DEFAULT_BASES.local, null, false],
    ['live', 'http://[::1]:1', null, false],
    ['live', 'http://localhost.:1', null, false],
    ['live', 'https://gateway.example', 'sandbox', false],
    ['live', 'https://gateway.example', 'live', true],
    ['sandbox', DEFAULT_BASES.sandbox, null, true],
    ['sandbox', DEFAULT_BASES.local, null, true],
    ['sandbox', DEFAULT_BASES.live, null, false],
    ['sandbox', 'https://api.credicorp.co.uk.:8443/x', null, false],
    // What a host is known to be outweighs what somebody says about it.
    ['sandbox', DEFAULT_BASES.live, 'sandbox', false],
    ['sandbox', 'https://gateway.example', 'live', false],
    ['local', DEFAULT_BASES.local, null, true],
    ['local', DEFAULT_BASES.sandbox, null, false],
    ['local', 'https://gateway.example', 'sandbox', false],
    ['local', DEFAULT_BASES.live, null, false],
    [null, DEFAULT_BASES.live, null, true],
    [null, DEFAULT_BASES.local, null, true],
  ];
  for (const [credential, url, explicit, fits] of rows) {
    it(`${credential ?? 'unmarked'} → ${url}${explicit ? ` (${explicit})` : ''}: ${fits ? 'fits' : 'refused'}`, () => {
      if (fits) assertCredentialFits(credential, url, explicit);
      else assert.throws(() => assertCredentialFits(credential, url, explicit), usageWith('environment_mismatch'));
    });
  }
});

it('originOf drops the root dot and keeps the port', () => {
  assert.equal(originOf('https://Api.credicorp.co.uk.:444/x'), 'https://api.credicorp.co.uk:444');
  assert.equal(originOf('nonsense'), null);
});

it('isEnvironment knows the three names and nothing else', () => {
  for (const name of ['local', 'sandbox', 'live']) assert.ok(isEnvironment(name));
  for (const name of ['Live', '', null, undefined, 1, 'test']) assert.ok(!isEnvironment(name));
});
