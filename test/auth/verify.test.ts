import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { resolveIdentity } from '../../src/lib/auth/credentials/resolve-identity.ts';
import { decodeToken } from '../../src/lib/auth/token/introspect.ts';
import { type TokenVerdict, tokenVerifier } from '../../src/lib/auth/token/verify-token.ts';
import type { HttpAnswer, Send } from '../../src/lib/contract/exchange.ts';
import { Failure } from '../../src/lib/failure.ts';
import { profile, sources } from './sources.ts';

const BASE = 'http://127.0.0.1:4010';
const AUDIENCE = `${BASE}/partner/v1`;
const NOW = Date.UTC(2026, 6, 1);

interface Key {
  jwk: JWK;
  sign: (claims?: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>;
}

async function newKey(kid: string, alg = 'ES256'): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    sign: (claims = {}, header = {}) =>
      new SignJWT({ iss: BASE, aud: AUDIENCE, sub: 'c', exp: NOW / 1000 + 3600, iat: NOW / 1000, ...claims })
        .setProtectedHeader({ alg, typ: 'JWT', kid, ...header })
        .sign(privateKey),
  };
}

/** Serves these key sets in turn, the last for ever; null serves no discovery document. */
function server(sets: unknown[], discovery: unknown = null): { send: Send; asked: string[] } {
  const asked: string[] = [];
  let served = 0;
  return {
    asked,
    send: async ({ url }) => {
      asked.push(url.replace(BASE, ''));
      if (url.includes('well-known/oauth')) return answer(discovery);
      served += 1;
      return answer(sets[Math.min(served, sets.length) - 1]);
    },
  };
}

function answer(body: unknown): HttpAnswer {
  return {
    status: body === null ? 404 : 200,
    headers: {},
    text: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

function part(text: string): string {
  return Buffer.from(text).toString('base64url');
}

const identity = resolveIdentity(sources({ runningSandbox: { base: BASE } }));

function verifier(send: Send, now = NOW) {
  return tokenVerifier({ identity, send, now, notice: () => undefined });
}

const causeOf = (verdict: TokenVerdict) => (verdict.valid ? 'valid' : verdict.cause);

describe('verifying a token', () => {
  for (const alg of ['ES256', 'RS256']) {
    it(`accepts ${alg}`, async () => {
      const key = await newKey('k1', alg);
      const { send } = server([{ keys: [key.jwk] }]);
      const verdict = await verifier(send).verify(await key.sign());
      assert.ok(verdict.valid);
      assert.equal(verdict.claims.sub, 'c');
      assert.equal(verdict.header.kid, 'k1');
    });
  }

  it('names each reason for a refusal', async () => {
    const key = await newKey('k1');
    const other = await newKey('k1');
    const { send } = server([{ keys: [key.jwk] }], { issuer: BASE });
    const rows: [token: string, cause: string][] = [
      [await key.sign({ exp: NOW / 1000 - 60 }), 'expired'],
      [await key.sign({ nbf: NOW / 1000 + 60 }), 'not_yet_valid'],
      [await key.sign({ aud: 'https://other.example' }), 'wrong_audience'],
      [await key.sign({ iss: 'https://other.example' }), 'wrong_issuer'],
      [await key.sign({ exp: undefined }), 'claim_missing'],
      [await key.sign({}, { kid: 'k9' }), 'unknown_key'],
      [await other.sign(), 'bad_signature'],
      [`${(await key.sign()).slice(0, -6)}AAAAAA`, 'bad_signature'],
      ['not.a.jwt', 'malformed'],
      ['opaque', 'malformed'],
      ['', 'malformed'],
    ];
    for (const [token, cause] of rows) assert.equal(causeOf(await verifier(send).verify(token)), cause, cause);
  });

  it('checks the issuer without a discovery document too', async () => {
    const key = await newKey('k1');
    const { send } = server([{ keys: [key.jwk] }]);
    assert.equal(causeOf(await verifier(send).verify(await key.sign({ iss: BASE }))), 'valid');
    for (const iss of ['https://other.example', `${BASE}.evil.example`, 'http://127.0.0.1:4011', '', 'null']) {
      assert.equal(causeOf(await verifier(send).verify(await key.sign({ iss }))), 'wrong_issuer', iss);
    }
    assert.equal(causeOf(await verifier(send).verify(await key.sign({ iss: undefined }))), 'claim_missing');
  });

  it('refuses "none", and a symmetric signature made with the public key', async () => {
    const key = await newKey('k1');
    const { send } = server([{ keys: [key.jwk] }]);
    const [, claims] = (await key.sign()).split('.');
    const none = `${Buffer.from('{"alg":"none","kid":"k1"}').toString('base64url')}.${claims}.`;
    const confused = await new SignJWT({ aud: AUDIENCE, exp: NOW / 1000 + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .sign(Buffer.from(JSON.stringify(key.jwk)));
    const third = await newKey('k1', 'ES384');
    for (const token of [none, confused, await third.sign()]) {
      assert.notEqual(causeOf(await verifier(send).verify(token)), 'valid');
    }
    assert.equal(causeOf(await verifier(send).verify(confused)), 'algorithm_refused');
    assert.equal(causeOf(await verifier(send).verify(await third.sign())), 'algorithm_refused');
  });

  it('fetches the keys once for known keys, and once more for an unknown one', async () => {
    const [old, fresh] = [await newKey('k1'), await newKey('k2')];
    const { send, asked } = server([{ keys: [old.jwk] }, { keys: [old.jwk, fresh.jwk] }]);
    const one = verifier(send);
    assert.ok((await one.verify(await old.sign())).valid);
    assert.ok((await one.verify(await old.sign())).valid);
    const jwks = () => asked.filter((path) => path === '/partner/v1/oauth/jwks').length;
    assert.equal(jwks(), 1);
    assert.ok((await one.verify(await fresh.sign())).valid);
    assert.equal(jwks(), 2);
    assert.equal(causeOf(await one.verify(await (await newKey('k3')).sign())), 'unknown_key');
    assert.equal(jwks(), 3);
  });

  it('takes the keys from where discovery says, if that may be trusted', async () => {
    const key = await newKey('k1');
    const good = server([{ keys: [key.jwk] }], { jwks_uri: `${BASE}/oauth/jwks` });
    const verdict = await verifier(good.send).verify(await key.sign());
    assert.equal(verdict.keysFrom, `${BASE}/oauth/jwks`);
    const evil = server([{ keys: [key.jwk] }], { jwks_uri: 'https://evil.example/jwks' });
    await verifier(evil.send).verify(await key.sign());
    assert.deepEqual(evil.asked, ['/.well-known/oauth-authorization-server', '/partner/v1/oauth/jwks']);
  });

  for (const [what, body] of Object.entries({
    nothing: null,
    html: '<html>',
    'no keys': {},
    'keys of numbers': { keys: [1] },
  })) {
    it(`fails when the server has ${what} instead of keys`, async () => {
      await assert.rejects(
        verifier(server([body]).send).verify('a.b.c'),
        (error: unknown) => error instanceof Failure && error.kind === 'unavailable' && error.facts.code === 'no_keys',
      );
    });
  }

  it('goes by the clock it is given', async () => {
    const key = await newKey('k1');
    const { send } = server([{ keys: [key.jwk] }]);
    const token = await key.sign();
    assert.ok((await verifier(send, NOW + 3_604_000).verify(token)).valid);
    assert.equal(causeOf(await verifier(send, NOW + 3_606_000).verify(token)), 'expired');
  });

  it('is not offered for a provider whose tokens cannot be verified', () => {
    const pay = profile('pay', {
      provider: 'acountpay',
      environment: 'live',
      base: 'https://api.acountpay.com',
      clientId: 'x',
    });
    const other = resolveIdentity(sources({ config: { active: 'pay', profiles: [pay] } }));
    assert.throws(
      () => tokenVerifier({ identity: other, send: server([]).send, now: NOW, notice: () => undefined }),
      (error: unknown) => error instanceof Failure && error.facts.code === 'not_verifiable',
    );
  });
});

describe('decoding a token', () => {
  it('shows header and claims, numbers untouched', () => {
    const decoded = decodeToken(` ${part('{"alg":"ES256"}')}.${part('{"sub":"ü","n":1}')}.sig\n`);
    assert.deepEqual(decoded, { header: { alg: 'ES256' }, claims: { sub: 'ü', n: 1 } });
  });
  for (const token of ['', 'opaque', 'a.b', 'a.b.c.d', 'e30.W10.x', 'e30.e30.e30.e30', '!!.e30.x']) {
    it(`says so when it is opaque: ${JSON.stringify(token)}`, () => {
      assert.throws(
        () => decodeToken(token),
        (error: unknown) => error instanceof Failure && error.facts.code === 'not_a_jwt',
      );
    });
  }
});
