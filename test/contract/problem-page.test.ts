import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OAUTH_PROBLEMS, PROBLEMS } from '../../src/lib/contract/problem.ts';
import { EXPLAINED, problemPage } from '../../src/lib/contract/problem-page.ts';

describe('problem page', () => {
  it('every code of the table, and of the token endpoint, has one that says all four things', () => {
    assert.ok(EXPLAINED.length >= 45, String(EXPLAINED.length));
    for (const code of [...Object.keys(PROBLEMS), ...Object.keys(OAUTH_PROBLEMS)]) {
      const page = problemPage(code);
      assert.ok(page !== null, code);
      for (const text of [page.meaning, page.retry, page.change]) assert.ok(text.length > 5, `${code}: ${text}`);
      assert.match(page.command, /^credicorp [a-z]+/, code);
      assert.match(page.doc_url, /^https:\/\/dev\.credicorp\.co\.uk\//, code);
      assert.ok(
        page.status.every((status) => status >= 400 && status < 600),
        code,
      );
    }
  });

  it('takes the command from the advice, else from the kind of error', () => {
    assert.equal(problemPage('decision_not_ready')?.command, 'credicorp decisions get ID --wait');
    assert.equal(problemPage('company_not_eligible')?.command, 'credicorp logs show REQ');
    assert.equal(problemPage('rate_limited')?.command, 'credicorp logs stats');
    assert.equal(problemPage('api')?.command, 'credicorp status');
  });

  it('says it when the token endpoint means something else by the code', () => {
    assert.equal(problemPage('invalid_request')?.at_token_endpoint?.status, 400);
    assert.equal(problemPage('invalid_client')?.status[0], 401);
    assert.equal(problemPage('term_out_of_range')?.at_token_endpoint, undefined);
  });

  it('knows no other', () => {
    for (const code of ['', 'unheard_of', 'toString', '__proto__']) assert.equal(problemPage(code), null, code);
  });
});
