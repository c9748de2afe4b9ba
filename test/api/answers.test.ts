import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { z } from 'zod';
import { type Answer, parseAnswer } from '../../src/lib/api/answers.ts';
import type { TransportAnswer } from '../../src/lib/api/transport.ts';
import { PROBLEMS } from '../../src/lib/contract/problem.ts';
import { writeJson } from '../../src/lib/contract/json.ts';
import { Failure, type FailureFacts, type FailureKind } from '../../src/lib/failure.ts';

const asked = { method: 'GET', path: '/partner/v1/applications/app_1', now: 0 };

function answer(
  status: number,
  body: unknown = '',
  headers: Record<string, string> = {},
  more: Partial<TransportAnswer> = {},
) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: { 'content-type': 'application/json', ...headers }, text, ...more };
}

function failureOf(given: TransportAnswer, more: object = {}): Failure {
  let failure: unknown;
  assert.throws(
    () => parseAnswer(given, { ...asked, ...more }),
    (error) => {
      failure = error;
      return true;
    },
  );
  assert.ok(failure instanceof Failure, String(failure));
  return failure;
}

describe('parseAnswer, each code of the table', () => {
  for (const [code, entry] of Object.entries(PROBLEMS)) {
    for (const status of entry.status) {
      it(`${status} ${code}`, () => {
        const error = { type: entry.type ?? undefined, code, message: 'In words.', request_id: 'req_7Hs2bV9k4LmQ' };
        const failure = failureOf(answer(status, { error }));
        assert.equal(failure.kind, expectedKind(status));
        assert.equal(failure.message, 'In words.');
        assert.equal(failure.facts.status, status);
        assert.equal(failure.facts.code, code);
        assert.equal(failure.facts.requestId, 'req_7Hs2bV9k4LmQ');
        assert.equal(failure.facts.next, entry.next);
      });
    }
  }
});

describe('parseAnswer, each shape of an error', () => {
  const id = 'req_8Hn2Lp0Wd4Xc';
  const rows: [what: string, given: TransportAnswer, kind: FailureKind, facts: FailureFacts, message?: RegExp][] = [
    [
      'envelope',
      answer(400, {
        error: {
          type: 'invalid_request_error',
          code: 'parameter_missing',
          message: 'Missing required parameter: amount_pence.',
          param: 'amount_pence',
          doc_url: 'https://dev.credicorp.co.uk/x',
          request_id: id,
        },
      }),
      'refused',
      { type: 'invalid_request_error', param: 'amount_pence', docUrl: 'https://dev.credicorp.co.uk/x', requestId: id },
      /^Missing required/,
    ],
    ['id in meta', answer(422, { error: { code: 'x' }, meta: { request_id: id } }), 'refused', { requestId: id }],
    ['id at the top', answer(422, { request_id: id, error: 'x' }), 'refused', { requestId: id }],
    [
      'id in the first header',
      answer(422, { error: { request_id: 'req_other1' } }, { 'credicorp-request-id': id }),
      'refused',
      { requestId: id },
    ],
    ['id in the second header', answer(422, '', { 'x-credicorp-request-id': id }), 'refused', { requestId: id }],
    [
      'details',
      answer(400, {
        error: { details: [{ param: 'a.b', code: 'c', message: 'm' }, { field: 'd' }, { param: 'a.b' }, 7] },
      }),
      'refused',
      { param: 'a.b', details: [{ param: 'a.b', code: 'c', message: 'm' }, { param: 'd' }] },
    ],
    [
      'fields',
      answer(422, { fields: [{ field: 'term_months', message: 'm' }], error: { code: 'validation_error' } }),
      'refused',
      { param: 'term_months', details: [{ param: 'term_months', message: 'm' }] },
    ],
    [
      'oauth, 401',
      answer(401, { error: 'invalid_client', error_description: 'no such client' }),
      'auth',
      { code: 'invalid_client' },
      /^no such client$/,
    ],
    ['oauth, 400', answer(400, { error: 'invalid_scope' }), 'auth', { code: 'invalid_scope' }],
    ['oauth, invalid_request', answer(400, { error: 'invalid_request' }), 'refused', { code: 'invalid_request' }],
    ['oauth, invalid_grant', answer(400, { error: 'invalid_grant' }), 'auth', { code: 'invalid_grant' }],
    ['plain text under error', answer(400, { error: 'missing_merchant' }), 'refused', { code: 'missing_merchant' }],
    [
      'unknown code, known type',
      answer(403, { error: { type: 'authentication_error', code: 'brand_new' } }),
      'auth',
      { code: 'brand_new', type: 'authentication_error' },
    ],
    [
      'unknown type',
      answer(409, { error: { type: 'brand_new_error', code: 'brand_new' } }),
      'refused',
      { type: 'brand_new_error' },
    ],
    ['unknown 4xx', answer(418), 'refused', { status: 418 }, /returned 418 without an error document/],
    ['unknown 5xx', answer(599), 'unavailable', { status: 599 }],
    ['413', answer(413, { error: { code: 'payload_too_large' } }), 'refused', { status: 413 }],
    ['405', answer(405, { error: { code: 'invalid_request' } }), 'refused', { status: 405 }],
    ['408', answer(408), 'unavailable', { status: 408 }],
    ['407', answer(407), 'unavailable', { next: 'check HTTPS_PROXY and NO_PROXY' }],
    [
      'redirect',
      answer(301, '', { location: 'https://elsewhere.example/' }),
      'unavailable',
      { code: 'redirect' },
      /redirects are not followed$/,
    ],
    [
      'web page of a proxy',
      answer(502, '<html><h1>Bad gateway</h1></html>', { 'content-type': 'text/html', 'credicorp-request-id': id }),
      'unavailable',
      { status: 502, requestId: id },
      /502 without an error document/,
    ],
    [
      'web page with 403',
      answer(403, '<html>"code":"x"</html>', { 'content-type': 'text/html' }),
      'auth',
      { status: 403 },
    ],
    ['empty body', answer(503, ''), 'unavailable', { status: 503 }],
    [
      'JSON, wrong content type',
      answer(422, { error: { code: 'term_out_of_range' } }, { 'content-type': 'text/html' }),
      'refused',
      { code: 'term_out_of_range' },
    ],
    [
      'cut off',
      answer(
        422,
        `{"error":{"code":"term_out_of_range","request_id":"${id}","message":"Te`,
        {},
        { broken: { code: 'reset', message: 'x' } },
      ),
      'refused',
      { status: 422, requestId: id },
    ],
    ['30 MB', answer(400, `{"error":{"code":"${'x'.repeat(30e6)}"}}`), 'refused', { status: 400 }],
    ['array', answer(400, '[1,2,3]'), 'refused', { status: 400 }],
    ['null members', answer(400, { error: null, meta: null, details: null }), 'refused', { status: 400 }],
    [
      'wrong types inside',
      answer(400, { error: { type: 1, code: {}, message: [], param: false, request_id: 9, details: 'x' } }),
      'refused',
      { status: 400 },
    ],
    [
      '429 with a wait',
      answer(429, { error: { code: 'rate_limited' } }, { 'retry-after': '7' }),
      'rate_limited',
      { retryAfter: 7 },
    ],
    ['503 with a wait', answer(503, '', { 'retry-after': '30' }), 'unavailable', { retryAfter: 30 }],
    [
      'doc_url of another kind',
      answer(400, { error: { code: 'x', doc_url: 'javascript:alert(1)' } }),
      'refused',
      { code: 'x' },
    ],
  ];
  for (const [what, given, kind, facts, message] of rows) {
    it(what, () => {
      const failure = failureOf(given);
      assert.equal(failure.kind, kind);
      for (const [name, value] of Object.entries(facts))
        assert.deepEqual(Reflect.get(failure.facts, name), value, name);
      if (message) assert.match(failure.message, message);
      assert.ok((failure.facts.next ?? '').length > 10, 'says what to do');
      assert.ok(failure.message.length <= 500);
    });
  }

  it('shows outside text on one line, without control characters and secrets', () => {
    const failure = failureOf(
      answer(401, { error: { code: 'unauthorized', message: 'bad\u001b[31m key\r\nsk_live_abc123' } }),
    );
    assert.equal(failure.message, 'bad [31m key sk_live_[redacted]');
    assert.equal(failureOf(answer(400, { error: { message: 'x'.repeat(3000) } })).message.length, 500);
  });

  it('survives any document with the right kind', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(400, 401, 404, 409, 422, 429, 500), (json, status) => {
        assert.equal(failureOf(answer(status, json)).facts.status, status);
      }),
    );
  });
});

describe('parseAnswer, routes that no document states', () => {
  const rows: [what: string, given: TransportAnswer, assumed: boolean, code: string | undefined][] = [
    ['405', answer(405, ''), true, 'not_offered'],
    ['404 of a proxy', answer(404, '<html>'), true, 'not_offered'],
    ['404 invalid_request', answer(404, { error: { code: 'invalid_request' } }), true, 'not_offered'],
    ['404 resource_missing', answer(404, { error: { code: 'resource_missing' } }), true, 'resource_missing'],
    ['404 on a documented route', answer(404, { error: { code: 'invalid_request' } }), false, 'invalid_request'],
    ['404 of a proxy on a documented route', answer(404, ''), false, undefined],
  ];
  for (const [what, given, assumed, code] of rows) {
    it(what, () => {
      const failure = failureOf(given, { assumed });
      assert.equal(failure.facts.code, code);
      assert.equal(failure.kind, given.status === 404 ? 'not_found' : 'refused');
      if (code !== 'not_offered') return;
      assert.match(failure.message, /^the hosted API does not offer this \(GET \/partner\/v1\/applications\/app_1\)/);
      assert.equal(/or the id is unknown/.test(failure.message), given.status === 404);
    });
  }
});

describe('parseAnswer, successes', () => {
  const schema = z.looseObject({ id: z.string() });

  it('gives the document as it was written, and its judged twin', () => {
    const text = '{"id":"app_1","amount_pence":9007199254740993,"rate":1.0,"new_member":[null]}';
    const judged: Answer<{ id: string }> = parseAnswer(answer(200, text, { 'x-credicorp-request-id': 'req_1' }), {
      ...asked,
      schema,
    });
    assert.equal(writeJson(judged.json), text);
    assert.equal(judged.data.id, 'app_1');
    assert.deepEqual(Object.keys(judged.data), ['id', 'amount_pence', 'rate', 'new_member']);
    assert.equal(judged.requestId, 'req_1');
  });

  it('takes an empty body as null', () => {
    assert.equal(parseAnswer(answer(204, ''), asked).json, null);
  });

  const rows: [what: string, given: TransportAnswer, words: RegExp][] = [
    ['a web page', answer(200, '<!doctype html>', { 'content-type': 'text/html' }), /it is a web page, not JSON$/],
    ['no JSON', answer(201, '{"id":'), /it is not JSON$/],
    ['an empty body where an object is due', answer(200, ''), /the document does not match the documented format$/],
    ['another shape', answer(200, { id: 7 }), /id does not match the documented format$/],
    [
      'a body that broke off',
      answer(200, '{"id":"app_1"}', {}, { broken: { code: 'reset', message: 'the connection was cut' } }),
      /the connection was cut$/,
    ],
    [
      'not UTF-8',
      answer(200, '{"id":"\ufffd"}', {}, { broken: { code: 'not_utf8', message: 'the body is not valid UTF-8' } }),
      /not valid UTF-8$/,
    ],
  ];
  for (const [what, given, words] of rows) {
    it(`${what}: an answer that could not be read`, () => {
      const failure = failureOf(
        { ...given, headers: { ...given.headers, 'credicorp-request-id': 'req_1' } },
        { schema },
      );
      assert.equal(failure.kind, 'unavailable');
      assert.match(failure.message, /^the answer to GET \/partner\/v1\/applications\/app_1 could not be read: /);
      assert.match(failure.message, words);
      assert.equal(failure.facts.requestId, 'req_1');
    });
  }
});

function expectedKind(status: number): FailureKind {
  if (status === 401 || status === 403) return 'auth';
  if (status === 404) return 'not_found';
  if (status === 429) return 'rate_limited';
  return status >= 500 ? 'unavailable' : 'refused';
}
