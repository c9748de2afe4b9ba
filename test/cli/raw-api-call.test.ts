/** The words of `credicorp api`, and what becomes of them before anything is sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProvider } from '../../src/lib/auth/providers/provider.ts';
import { apiCall, type ApiInput } from '../../src/lib/cli/requests/raw-api-call.ts';
import { writeJson } from '../../src/lib/contract/json.ts';
import { Failure } from '../../src/lib/failure.ts';
import { worldOf } from '../support/world.ts';

const NOTHING: ApiInput = {
  method: 'GET',
  path: '/x',
  fields: [],
  typed: [],
  input: null,
  headers: [],
  merchant: null,
};

function make(words: Partial<ApiInput>, provider = 'credicorp') {
  const { context } = worldOf({ home: '/nonexistent', input: 'from stdin' });
  return apiCall(context, { ...NOTHING, ...words }, findProvider(provider, '/nonexistent'));
}

const REFUSED: [what: string, words: Partial<ApiInput>, says: RegExp, provider?: string][] = [
  ['another host', { path: 'https://evil.example/x' }, /own host/],
  ['the same host spelled out', { path: 'http://127.0.0.1/x' }, /own host/],
  ['another host without a scheme', { path: '//evil.example/x' }, /own host/],
  ['another scheme', { path: 'file:/etc/passwd' }, /own host/],
  ['a method that is none', { method: 'FETCH' }, /not an HTTP method/],
  ['CONNECT', { method: 'CONNECT' }, /not an HTTP method/],
  ['a credential', { headers: ['Authorization: Bearer abc'] }, /cannot be set on the command line/],
  ['a cookie', { headers: ['Cookie: a=b'] }, /cannot be set on the command line/],
  ['a secret in a header', { headers: ['x-note: sk_test_abcdef123456'] }, /cannot be set on the command line/],
  ['a header with a line break', { headers: ['x-a: b\r\nx-c: d'] }, /Name: value/],
  ['a header without a name', { headers: [': b'] }, /Name: value/],
  ['another host by header', { headers: ['Host: evil.example'] }, /cannot be set/],
  ['a length of its own', { headers: ['Content-Length: 1'] }, /cannot be set/],
  ['two bodies', { method: 'POST', input: 'a.json', fields: ['a=b'] }, /cannot be used together/],
  ['a file that is not there', { method: 'POST', input: 'nowhere.json' }, /no such file/],
  ['a body with a GET', { input: 'a.json' }, /no body/],
  ['a field without =', { method: 'POST', fields: ['abc'] }, /key=value/],
  ['a field into a scalar', { method: 'POST', fields: ['a=1', 'a.b=2'] }, /not an object/],
  ['a field into the prototype', { method: 'POST', fields: ['__proto__.polluted=1'] }, /not an object/],
  ['a field that is the prototype', { method: 'POST', typed: ['a.__proto__={}'] }, /not an object/],
  ['a merchant of Credicorp', { merchant: 'm' }, /has no merchants/],
  ['a write without a merchant', { method: 'POST' }, /needs a merchant/, 'acountpay'],
  ['a merchant with a line break', { method: 'POST', merchant: 'a\r\nb' }, /without spaces/, 'acountpay'],
  ['a write of the second generation without one', { method: 'POST' }, /needs a merchant/, 'acountpay-v2'],
];

for (const [what, words, says, provider] of REFUSED) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(make(words, provider), (error: unknown) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, 'usage');
      assert.match(error.message, says);
      return true;
    });
  });
}

test('fields of a GET are its query, fields of a write its body', async () => {
  assert.deepEqual((await make({ fields: ['status=a=b'], typed: ['limit=5'] })).query, { status: 'a=b', limit: '5' });
  const call = await make({
    method: 'post',
    fields: ['a.b=1', 'tag=x', 'tag=y'],
    typed: ['n=149.90', 'big=9007199254740993', 'ok=true', 't=word'],
  });
  assert.equal(call.method, 'POST');
  assert.equal(
    writeJson(call.body),
    '{"a":{"b":"1"},"tag":["x","y"],"n":149.90,"big":9007199254740993,"ok":true,"t":"word"}',
  );
});

test('a body from stdin is sent as it is', async () => {
  const { rawBody } = await make({ method: 'PUT', input: '-' });
  assert.equal(Buffer.from(rawBody ?? '').toString(), 'from stdin');
});

test('the merchant goes where the provider has it', async () => {
  const one = await make({ method: 'POST', merchant: 'merchant_abc123', typed: ['amount=149.99'] }, 'acountpay');
  assert.deepEqual(
    [one.headers, writeJson(one.body)],
    [{ 'x-merchant-client-id': 'merchant_abc123' }, '{"amount":149.99}'],
  );
  const two = await make({ method: 'POST', merchant: 'm', typed: ['amount=1.10'] }, 'acountpay-v2');
  assert.deepEqual([two.headers, writeJson(two.body)], [{}, '{"amount":1.10,"merchantClientId":"m"}']);
  assert.deepEqual((await make({ headers: ['X-Merchant-Client-Id: m'], method: 'POST' }, 'acountpay')).headers, {
    'x-merchant-client-id': 'm',
  });
  assert.equal(
    (await make({ path: '/v1/partner/payments/pay_1' }, 'acountpay')).headers?.['x-merchant-client-id'],
    undefined,
  );
});
