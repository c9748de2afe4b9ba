import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson, writeJson } from '../../src/lib/contract/json.ts';
import {
  Account,
  Application,
  Decision,
  Discovery,
  IdentityCheck,
  Jwks,
  pageOf,
  Payment,
  PaymentLink,
  TokenAnswer,
  WebhookEndpoint,
} from '../../src/lib/contract/resources.ts';

test('only documented members are required', () => {
  assert.ok(Application.safeParse({ id: 'app_1', status: 'brand_new' }).success);
  assert.ok(!Application.safeParse({ status: 'created' }).success);
  assert.ok(Payment.safeParse({ status: 'processing' }).success);
  assert.ok(WebhookEndpoint.safeParse({ id: 'whe_1' }).success);
  for (const schema of [Decision, PaymentLink, IdentityCheck, Account, Discovery])
    assert.ok(schema.safeParse({}).success);
  assert.ok(!TokenAnswer.safeParse({}).success);
  assert.ok(!Jwks.safeParse({ keys: [{}] }).success);
});

test('unknown members and long numbers come out as they came in', () => {
  const text =
    '{"data":[{"id":"app_1","status":"created","amount_pence":9007199254740993,"new_member":{"x":1.0}}],"next_cursor":null}';
  const page = pageOf(Application).parse(parseJson(text));
  assert.equal(
    writeJson(page.data[0]),
    '{"id":"app_1","status":"created","amount_pence":9007199254740993,"new_member":{"x":1.0}}',
  );
});

test('instants are read as ISO text or epoch seconds, null is absent', () => {
  assert.ok(
    Application.safeParse({ id: 'a', status: 's', created_at: 1719660000, business: null, metadata: null }).success,
  );
  assert.ok(!Application.safeParse({ id: 'a', status: 's', created_at: {} }).success);
});
