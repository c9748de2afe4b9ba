import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OAUTH_PROBLEMS, PROBLEMS, problem, problemEntry, problemTypeOf } from '../../src/lib/contract/problem.ts';

test('the published missing-amount error comes out as published, with both request ids', () => {
  const { status, body } = problem('parameter_missing', {
    message: 'Missing required parameter: amount_pence.',
    param: 'amount_pence',
    details: [
      { param: 'amount_pence', code: 'parameter_missing', message: 'Missing required parameter: amount_pence.' },
    ],
    requestId: 'req_7Hs2bV9k4LmQ',
    environment: 'sandbox',
  });
  assert.equal(status, 400);
  assert.equal(
    JSON.stringify(body),
    '{"error":{"type":"invalid_request_error","code":"parameter_missing","message":"Missing required parameter: amount_pence.","param":"amount_pence",' +
      '"doc_url":"https://dev.credicorp.co.uk/api-reference/errors.html#parameter_missing","request_id":"req_7Hs2bV9k4LmQ",' +
      '"details":[{"param":"amount_pence","code":"parameter_missing","message":"Missing required parameter: amount_pence."}]},' +
      '"meta":{"request_id":"req_7Hs2bV9k4LmQ","environment":"sandbox"}}',
  );
});

test('doc_url is set only for codes of the published pages', () => {
  const facts = { message: 'm', requestId: 'req_1', environment: 'sandbox' };
  assert.equal(problem('state_conflict', facts).body.error.doc_url, undefined);
  assert.equal(typeof problem('token_expired', facts).body.error.doc_url, 'string');
});

test('every published code has its published type, and every entry a next step', () => {
  const published = {
    parameter_missing: 'invalid_request_error',
    mandate_not_active: 'invalid_request_error',
    token_revoked: 'authentication_error',
    insufficient_scope: 'permission_error',
    rate_limit_exceeded: 'rate_limit_error',
    internal_error: 'api_error',
  };
  for (const [code, type] of Object.entries(published)) assert.equal(problemEntry(code)?.type, type, code);
  for (const [code, entry] of Object.entries({ ...PROBLEMS, ...OAUTH_PROBLEMS })) {
    assert.ok(entry.next.length > 5 && entry.meaning.length > 5, code);
  }
});

test('an unknown code falls back to its status, and members of Object are not codes', () => {
  assert.equal(problemEntry('constructor'), undefined);
  assert.equal(problemEntry('brand_new'), undefined);
  assert.equal(problemTypeOf(418), 'invalid_request_error');
  assert.equal(
    problem('brand_new', { status: 503, message: 'm', requestId: 'r', environment: 'e' }).body.error.type,
    'api_error',
  );
});
