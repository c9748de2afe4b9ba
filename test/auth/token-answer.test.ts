import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { readTokenAnswer } from '../../src/lib/auth/token/mint.ts';
import { Failure } from '../../src/lib/failure.ts';

const URL_ = 'https://sandbox.credicorp.co.uk/partner/v1/oauth/token';
const SECRET = 'my-own-odd-secret';

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: typeof body === 'string' ? body : JSON.stringify(body),
});

function failureOf(...args: Parameters<typeof answer>): Failure {
  try {
    readTokenAnswer(answer(...args), URL_, [SECRET]);
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error;
  }
  return assert.fail('no failure');
}

describe('a token answer', () => {
  it('is read', () => {
    const body = { access_token: 'a.b.c', token_type: 'bearer', expires_in: 60, scope: 'x y', more: 1 };
    assert.deepEqual(readTokenAnswer(answer(200, body), URL_), { token: 'a.b.c', expiresIn: 60, granted: 'x y' });
    assert.deepEqual(readTokenAnswer(answer(201, { access_token: 'a' }), URL_), {
      token: 'a',
      expiresIn: 3600,
      granted: null,
    });
  });

  const rows: [what: string, args: Parameters<typeof answer>, kind: string, code: string | undefined, words: RegExp][] =
    [
      ['invalid_client', [401, { error: 'invalid_client' }], 'auth', 'invalid_client', /wrong secret/],
      [
        'invalid_client as an object',
        [401, { error: { code: 'invalid_client', message: 'no' } }],
        'auth',
        'invalid_client',
        /: no$/,
      ],
      ['invalid_scope', [400, { error: 'invalid_scope', error_description: 'x' }], 'auth', 'invalid_scope', /scope/],
      ['unsupported_grant_type', [400, { error: 'unsupported_grant_type' }], 'auth', 'unsupported_grant_type', /grant/],
      ['invalid_grant', [400, { error: 'invalid_grant' }], 'auth', 'invalid_grant', /grant/],
      ['invalid_request', [400, { error: 'invalid_request' }], 'auth', 'invalid_request', /missing/],
      ['an unknown code', [400, { error: 'weird' }], 'auth', 'weird', /refused to issue a token \(400\)/],
      ['only a message', [401, { message: 'nope' }], 'auth', undefined, /: nope$/],
      [
        'the envelope of the API',
        [403, { error: { type: 'permission_error', code: 'account_suspended', message: 'm', request_id: 'req_1' } }],
        'auth',
        'account_suspended',
        /403/,
      ],
      ['rate limit', [429, { error: 'rate_limit_exceeded' }], 'rate_limited', 'rate_limit_exceeded', /too many tokens/],
      ['server fault', [500, 'oops'], 'unavailable', undefined, /failed \(500\)/],
      ['proxy page', [502, '<html>'], 'unavailable', undefined, /failed \(502\)/],
      ['redirect', [302, '', { location: 'https://evil.example' }], 'unavailable', undefined, /not followed/],
      ['no such route', [404, '<html>'], 'auth', undefined, /no token endpoint at \/partner\/v1\/oauth\/token/],
      ['sign-in page', [200, '<html>'], 'unavailable', 'no_token_in_answer', /did not answer with a token/],
      ['empty body', [200, ''], 'unavailable', 'no_token_in_answer', /did not answer with a token/],
      ['null', [200, 'null'], 'unavailable', 'no_token_in_answer', /did not answer with a token/],
      ['token no text', [200, { access_token: 1 }], 'unavailable', 'no_token_in_answer', /did not answer with a token/],
      [
        'token with a line break',
        [200, { access_token: 'a\r\nx: y' }],
        'unavailable',
        'no_token_in_answer',
        /did not answer with a token/,
      ],
      ['empty token', [200, { access_token: '' }], 'unavailable', 'no_token_in_answer', /did not answer with a token/],
      ['another token type', [200, { access_token: 'x', token_type: 'mac' }], 'auth', 'token_type', /type/],
    ];
  for (const [what, args, kind, code, words] of rows) {
    it(`${what} is ${kind}`, () => {
      const failure = failureOf(...args);
      assert.equal(failure.kind, kind);
      assert.equal(failure.facts.code, code);
      assert.equal(failure.facts.status, args[0]);
      assert.match(failure.message, words);
      assert.ok(failure.facts.next);
    });
  }

  it('carries the request id, from a header or the body', () => {
    assert.equal(failureOf(500, '', { 'credicorp-request-id': 'req_a' }).facts.requestId, 'req_a');
    assert.equal(failureOf(500, '', { 'x-credicorp-request-id': 'req_b' }).facts.requestId, 'req_b');
    assert.equal(failureOf(401, { error: { request_id: 'req_c' } }).facts.requestId, 'req_c');
    assert.equal(failureOf(401, { error: 'x', meta: { request_id: 'req_d' } }).facts.requestId, 'req_d');
    assert.equal(failureOf(401, { error: 'x', request_id: 'req_e' }).facts.requestId, 'req_e');
    assert.equal(failureOf(401, { error: 'x', request_id: 'no id\n' }).facts.requestId, undefined);
  });

  it('carries how long to wait, in both forms', () => {
    const date = 'Wed, 01 Jul 2026 10:00:00 GMT';
    assert.equal(failureOf(429, '', { 'retry-after': '7' }).facts.retryAfter, 7);
    assert.equal(failureOf(429, '', { 'retry-after': 'Wed, 01 Jul 2026 10:00:09 GMT', date }).facts.retryAfter, 9);
    assert.equal(failureOf(429, '', { 'retry-after': 'later' }).facts.retryAfter, undefined);
  });

  it('never repeats the secret, nor control characters', () => {
    const failure = failureOf(401, {
      error: 'invalid_client',
      error_description: `\u001b[31m${SECRET}\ncsk_sbx_Abcdef123456`,
    });
    const shown = JSON.stringify([failure.message, failure.facts]);
    assert.ok(!shown.includes(SECRET) && !shown.includes('Abcdef123456') && !/\p{Cc}/u.test(failure.message));
  });

  it('whatever comes is a token or a failure', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.oneof(fc.json(), fc.string()), (status, body) => {
        try {
          assert.match(readTokenAnswer(answer(status, body), URL_).token, /^[\x21-\x7e]+$/);
        } catch (error) {
          assert.ok(error instanceof Failure);
        }
      }),
    );
  });
});
