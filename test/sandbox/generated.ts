/** Requests nobody meant well, for property tests: odd paths, bodies of every kind, names that pollute prototypes, foreign hosts. */
import fc from 'fast-check';
import type { SandboxRequest } from '../../src/lib/sandbox/http/call.ts';

const IDS = [
  'app_x',
  'dec_x',
  '%2e%2e',
  '%',
  '%zz',
  '..',
  '__proto__',
  'constructor',
  'links',
  'ä',
  '',
  'a'.repeat(300),
];
const PATHS = [
  '/',
  '/partner/v1/applications',
  '/partner/v1/applications/ID',
  '/partner/v1/applications/ID/submit',
  '/partner/v1/applications/ID/withdraw',
  '/partner/v1/decisions',
  '/partner/v1/decisions/ID',
  '/partner/v1/decisions/ID/refresh',
  '/partner/v1/payments',
  '/partner/v1/payments/ID',
  '/partner/v1/payments/links',
  '/partner/v1/payments/links/ID',
  '/partner/v1/identity/checks',
  '/partner/v1/identity/checks/ID',
  '/partner/v1/accounts',
  '/partner/v1/accounts/ID',
  '/partner/v1/webhook_endpoints',
  '/partner/v1/webhook_endpoints/ID',
  '/partner/v1/webhook_endpoints/ID/rotate_secret',
  '/partner/v1/oauth/token',
  '/oauth/introspect',
  '/oauth/jwks',
  '/public/v1/status',
  '/apply/s/ID',
  '/apply/s/ID/complete',
  '/pay/ID',
  '/pay/ID/fail',
  '/openapi.json',
  '/_sandbox/health',
  '/_sandbox/requests',
  '/_sandbox/events',
  '/_sandbox/events/ID/resend',
  '/_sandbox/deliveries',
  '/_sandbox/applications/ID/fund',
  '/_sandbox/payments/links/ID/pay',
  '/_sandbox/oauth/revoke',
  '/_sandbox/faults',
];

const path = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constantFrom(...PATHS), fc.constantFrom(...IDS)).map(([at, id]) => at.replace('ID', id)),
  },
  { weight: 1, arbitrary: fc.webPath() },
  { weight: 1, arbitrary: fc.string().map((text) => `/${text}`) },
);

const NAMES = [
  'amount_pence',
  'term_months',
  'business',
  'company_number',
  'purpose',
  'applicant',
  'redirect_uri',
  'metadata',
  'amount',
  'currency',
  'scheme',
  'reference',
  'subject',
  'last_name',
  'url',
  'enabled_events',
  'status',
  'type',
  'set',
  'token',
  '__proto__',
  'constructor',
];
const leaf = fc.oneof(
  fc.constantFrom(
    '16093826',
    'GBP',
    'pisp',
    'https://a.example/',
    '*',
    'x@y',
    2_500_000,
    12,
    null,
    true,
    -1,
    1e300,
    '',
  ),
  fc.string(),
  fc.double(),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...NAMES), tie('tree')), { maxLength: 6 })
      .map((pairs) => Object.fromEntries(pairs)),
  ),
}));
const body = fc.oneof(
  { weight: 6, arbitrary: tree.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, 'too_large' as const) },
  {
    weight: 1,
    arbitrary: fc.constant(
      Buffer.from('grant_type=client_credentials&client_id=cid_sbx_local&client_secret=csk_sbx_local'),
    ),
  },
);

const header = (...values: string[]): fc.Arbitrary<string | undefined> =>
  fc.option(fc.oneof(fc.constantFrom(...values), fc.string()), { nil: undefined });
const authorization = fc.option(
  fc.constantFrom('Bearer sk_test_local', 'Bearer sk_test_scale', 'Bearer x.y.z', 'Basic eDp5', 'Bearer'),
  { nil: undefined },
);
const headers = fc
  .record({
    'content-type': header('application/json', 'application/x-www-form-urlencoded', 'text/plain'),
    'idempotency-key': header('a', 'b', '__proto__', 'x'.repeat(256)),
    host: header('127.0.0.1:4010', 'localhost', 'evil.example'),
    origin: header('http://127.0.0.1:4010', 'http://evil.example', 'null'),
    'last-event-id': header('1', 'x'),
    accept: header('application/x-ndjson'),
  })
  .map((all) =>
    Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
  );

export const incoming: fc.Arbitrary<SandboxRequest> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PUT', 'TRACE', 'BREW'),
  path,
  query: fc.constantFrom(
    '',
    'limit=1',
    'limit=-1',
    'cursor=x',
    'status=4xx',
    'since=1',
    'application=app_x',
    '%',
    'a&b=%zz',
    '__proto__=1',
  ),
  headers,
  authorization,
  body,
  peer: fc.constantFrom('127.0.0.1', '::1', '10.0.0.1'),
});
