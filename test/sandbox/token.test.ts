import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { SCOPES } from '../../src/lib/contract/scopes.ts';
import { BASE, bench, START, type Bench, type Reply } from './support.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const CLIENT = { client_id: 'cid_sbx_local', client_secret: 'csk_sbx_local' };

function mint(
  { bare }: Bench,
  fields: Record<string, string>,
  headers: object = {},
  path = '/partner/v1/oauth/token',
): Promise<Reply> {
  return bare('POST', path, new URLSearchParams(fields).toString(), { ...FORM, ...headers });
}

const GRANT = { grant_type: 'client_credentials', ...CLIENT };

test('a token verifies with a JOSE library, whatever alias it came from', async () => {
  for (const jwtAlg of ['ES256', 'RS256'] as const) {
    const one = bench({ jwtAlg });
    for (const path of ['/partner/v1/oauth/token', '/oauth/token', '/oauth2/token']) {
      const { status, json, headers } = await mint(one, GRANT, {}, path);
      assert.equal(status, 200);
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.deepEqual(Object.keys(json), ['access_token', 'token_type', 'expires_in', 'scope']);
      assert.deepEqual([json.token_type, json.expires_in, json.scope], ['Bearer', 3600, SCOPES.join(' ')]);
      const keys = createLocalJWKSet((await one.bare('GET', '/.well-known/jwks.json')).json);
      const { payload, protectedHeader } = await jwtVerify(json.access_token, keys, {
        issuer: BASE,
        audience: `${BASE}/partner/v1`,
        currentDate: new Date(START),
        algorithms: [jwtAlg],
      });
      assert.deepEqual(protectedHeader, { alg: jwtAlg, typ: 'JWT', kid: `sbx-${jwtAlg.toLowerCase()}-1` });
      assert.deepEqual(
        [payload['client_id'], payload.sub, payload.exp! - payload.iat!, typeof payload.jti],
        ['cid_sbx_local', 'cid_sbx_local', 3600, 'string'],
      );
    }
  }
});

async function keys(seed: string): Promise<string> {
  return (await bench({ seed }).bare('GET', '/partner/v1/oauth/jwks')).text;
}

test('the key pair of a seed is the same each time', async () => {
  assert.equal(await keys('a'), await keys('a'));
  assert.notEqual(await keys('a'), await keys('b'));
  const document = JSON.parse(await keys('a'));
  assert.deepEqual(Object.keys(document.keys[0]), ['kty', 'crv', 'use', 'alg', 'kid', 'x', 'y']);
});

test('HTTP Basic authenticates too, and form and Basic must agree', async () => {
  const one = bench();
  const basic = { authorization: `Basic ${Buffer.from('cid_sbx_local:csk_sbx_local').toString('base64')}` };
  const grant = { grant_type: 'client_credentials' };
  assert.equal((await mint(one, grant, basic)).status, 200);
  assert.equal((await mint(one, { ...grant, client_id: 'cid_sbx_local' }, basic)).status, 200);
  const differ = await mint(one, { ...grant, client_id: 'cid_sbx_scale' }, basic);
  assert.deepEqual([differ.status, differ.json.error], [400, 'invalid_request']);
  const wrong = await mint(one, grant, {
    authorization: `Basic ${Buffer.from('cid_sbx_local:no').toString('base64')}`,
  });
  assert.deepEqual([wrong.status, wrong.json.error], [401, 'invalid_client']);
  assert.match(wrong.headers.get('www-authenticate') ?? '', /^Basic/);
});

test('errors of the token plane have the body of RFC 6749', async () => {
  const one = bench();
  const rows: [Record<string, string>, number, string][] = [
    [{ ...GRANT, client_secret: 'no' }, 401, 'invalid_client'],
    [{ ...GRANT, client_id: 'cid_live_x' }, 401, 'invalid_client'],
    [{ ...GRANT, client_secret: 'csk_live_x' }, 401, 'invalid_client'],
    [{ ...GRANT, scope: 'applications:read nope' }, 400, 'invalid_scope'],
    [{ ...GRANT, grant_type: 'password' }, 400, 'unsupported_grant_type'],
    [CLIENT, 400, 'invalid_request'],
    [{ grant_type: 'client_credentials' }, 400, 'invalid_request'],
  ];
  for (const [fields, status, error] of rows) {
    const reply = await mint(one, fields);
    assert.deepEqual([reply.status, reply.json.error, typeof reply.json.error_description], [status, error, 'string']);
    assert.match(reply.headers.get('credicorp-request-id') ?? '', /^req_/);
  }
  const json = await one.bare('POST', '/oauth/token', JSON.stringify(GRANT), { 'content-type': 'application/json' });
  assert.deepEqual([json.status, json.json.error], [400, 'invalid_request']);
  const twice = await one.bare('POST', '/oauth/token', 'grant_type=client_credentials&grant_type=x', FORM);
  assert.equal(twice.json.error, 'invalid_request');
  const live = await mint(one, { ...GRANT, client_id: 'cid_live_x' });
  assert.match(live.json.error_description, /revoke/);
});

test('scopes are narrowed, aliases become canonical, and each route asks for its own', async () => {
  const one = bench();
  const { json } = await mint(one, { ...GRANT, scope: 'apply:write decision:read accounts.read' });
  assert.equal(json.scope, 'applications:write decisions:read accounts:read');
  const bearer = { authorization: `Bearer ${json.access_token}` };
  const read = await one.call('GET', '/partner/v1/applications', undefined, bearer);
  assert.deepEqual(
    [read.status, read.json.error.code, read.json.error.type],
    [403, 'insufficient_scope', 'permission_error'],
  );
  assert.equal((await one.create({}, bearer)).status, 201);
  assert.equal((await one.call('GET', '/partner/v1/accounts', undefined, bearer)).status, 200);
  assert.equal((await one.call('GET', '/partner/v1/decisions/dec_x', undefined, bearer)).status, 404);
});

test('each bad bearer has its own code', async () => {
  const one = bench();
  const good = (await mint(one, GRANT)).json.access_token;
  const elsewhere = (await mint(bench({ baseUrl: 'http://127.0.0.1:5000' }), GRANT)).json.access_token;
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${good.split('.')[1]}.`;
  const swapped = `${good.slice(0, -4)}AAAA`;
  const rows: [string | undefined, string][] = [
    [undefined, 'missing_api_key'],
    ['', 'missing_api_key'],
    ['Bearer', 'unauthorized'],
    ['Basic eDp5', 'unauthorized'],
    ['Bearer sk_test_EXAMPLE_UNKNOWN', 'unauthorized'],
    ['Bearer sk_live_x', 'unauthorized'],
    [`Bearer ${none}`, 'unauthorized'],
    [`Bearer ${swapped}`, 'unauthorized'],
    ['Bearer a.b.c', 'unauthorized'],
    [`Bearer ${elsewhere}`, 'audience_mismatch'],
  ];
  for (const [authorization, code] of rows) {
    const headers = authorization === undefined ? {} : { authorization };
    const { status, json } = await one.bare('GET', '/partner/v1/applications', undefined, headers);
    assert.deepEqual([status, json.error.code, json.error.type], [401, code, 'authentication_error'], authorization);
  }
  const live = await one.bare('GET', '/partner/v1/applications', undefined, { authorization: 'Bearer sk_live_x' });
  assert.match(live.json.error.message, /revoke/);
});

test('a token ends with the sandbox clock, and is revoked by hand', async () => {
  const one = bench();
  const token = (await mint(one, GRANT)).json.access_token;
  const bearer = { authorization: `Bearer ${token}` };
  const read = (): Promise<Reply> => one.call('GET', '/partner/v1/applications', undefined, bearer);
  const active = async (of = token): Promise<boolean> =>
    (await one.bare('POST', '/oauth/introspect', new URLSearchParams({ token: of, ...CLIENT }).toString(), FORM)).json
      .active;
  assert.equal((await read()).status, 200);
  assert.equal(await active(), true);
  await one.advance('3599s');
  assert.equal((await read()).status, 200);
  await one.advance('1s');
  assert.equal((await read()).json.error.code, 'token_expired');
  assert.equal(await active(), false);
  const second = (await mint(one, GRANT)).json.access_token;
  assert.deepEqual((await one.call('POST', '/_sandbox/oauth/revoke', { token: second })).json, { revoked: true });
  const refused = await one.call('GET', '/partner/v1/applications', undefined, { authorization: `Bearer ${second}` });
  assert.equal(refused.json.error.code, 'token_revoked');
  assert.equal(await active(second), false);
  assert.equal(await active('nonsense'), false);
});

test('a revoked client gets no token and its tokens are void, until it is restored', async () => {
  const one = bench();
  const { access_token } = (await mint(one, GRANT)).json;
  const read = (): Promise<Reply> =>
    one.call('GET', '/partner/v1/applications', undefined, { authorization: `Bearer ${access_token}` });
  await one.call('POST', '/_sandbox/oauth/revoke', { client_id: 'cid_sbx_local' });
  assert.equal((await read()).json.error.code, 'token_revoked');
  assert.equal((await mint(one, GRANT)).json.error, 'invalid_client');
  await one.call('POST', '/_sandbox/oauth/revoke', { client_id: 'cid_sbx_local', restore: true });
  assert.equal((await mint(one, GRANT)).status, 200);
  assert.equal((await one.call('POST', '/_sandbox/oauth/revoke', {})).status, 400);
  assert.equal((await one.call('POST', '/_sandbox/oauth/revoke', { client_id: 'x' })).status, 404);
});

test('introspection returns the claims, and nothing about tokens of another project', async () => {
  const one = bench();
  const { access_token: token } = (await mint(one, { ...GRANT, scope: 'accounts:read' })).json;
  const ask = (client: object): Promise<Reply> =>
    one.bare('POST', '/partner/v1/oauth/introspect', new URLSearchParams({ token, ...client }).toString(), FORM);
  const { json } = await ask(CLIENT);
  assert.deepEqual(
    [json.active, json.client_id, json.scope, json.exp, json.token_type],
    [true, 'cid_sbx_local', 'accounts:read', START / 1000 + 3600, 'Bearer'],
  );
  assert.deepEqual((await ask({ client_id: 'cid_sbx_scale', client_secret: 'csk_sbx_scale' })).json, { active: false });
  assert.equal((await ask({})).json.error, 'invalid_request');
});

test('a rotated key signs at once, the old one is published for 24 h', async () => {
  const one = bench();
  const before = (await mint(one, GRANT)).json.access_token;
  const fault = await one.call('POST', '/_sandbox/faults', { kind: 'rotate_keys' });
  assert.deepEqual([fault.status, fault.json.remaining], [201, 0]);
  const kids = async (): Promise<string[]> =>
    (await one.bare('GET', '/oauth/jwks')).json.keys.map(({ kid }: { kid: string }) => kid);
  assert.deepEqual(await kids(), ['sbx-es256-1', 'sbx-es256-2']);
  assert.equal(decodeProtectedHeader((await mint(one, GRANT)).json.access_token).kid, 'sbx-es256-2');
  const old = { authorization: `Bearer ${before}` };
  assert.equal((await one.call('GET', '/partner/v1/applications', undefined, old)).status, 200);
  await one.advance('24h');
  assert.deepEqual(await kids(), ['sbx-es256-2']);
});

test('discovery names the routes that are served', async () => {
  const one = bench();
  const { json } = await one.bare('GET', '/.well-known/oauth-authorization-server');
  assert.equal(json.issuer, BASE);
  assert.equal(json.token_endpoint, `${BASE}/partner/v1/oauth/token`);
  assert.deepEqual(json.scopes_supported, SCOPES);
  assert.equal((await one.bare('GET', new URL(json.jwks_uri).pathname)).status, 200);
  const resource = await one.bare('GET', '/.well-known/oauth-protected-resource');
  assert.deepEqual(resource.json, { resource: `${BASE}/partner/v1`, authorization_servers: [BASE] });
});
