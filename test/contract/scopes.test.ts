import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalScope, PARTNER_ROUTES, partnerRoute, SCOPES } from '../../src/lib/contract/scopes.ts';
import { PUBLIC_LIMIT, TIERS } from '../../src/lib/contract/tiers.ts';

test('aliases become the canonical scope, inherited names do not', () => {
  assert.equal(canonicalScope('apply:write'), 'applications:write');
  assert.equal(canonicalScope('decision:read'), 'decisions:read');
  assert.equal(canonicalScope('accounts.read'), 'accounts:read');
  assert.equal(canonicalScope('payments:read'), 'payments:read');
  assert.equal(canonicalScope('toString'), null);
});

test('every route is found by a concrete path, with its scope and sub-limit', () => {
  for (const route of PARTNER_ROUTES) {
    assert.ok(SCOPES.includes(route.scope));
    assert.equal(partnerRoute(route.method, `/partner/v1${route.path.replace('{id}', 'x_1')}?limit=1`), route);
  }
  assert.equal(partnerRoute('POST', '/decisions/dec_1/refresh')?.perSecond, 1);
  assert.equal(partnerRoute('GET', '/payments/links'), null);
  assert.equal(partnerRoute('PUT', '/applications'), null);
  assert.equal(partnerRoute('GET', '/applications/'), null);
});

test('tier figures are the published ones', () => {
  assert.deepEqual(TIERS.build, { perSecond: 10, burst: 50, concurrent: 10 });
  assert.deepEqual(TIERS.launch, { perSecond: 25, burst: 100, concurrent: 20 });
  assert.deepEqual(TIERS.scale, { perSecond: 100, burst: 400, concurrent: 50 });
  assert.deepEqual(PUBLIC_LIMIT, { requests: 60, windowSeconds: 60 });
});
