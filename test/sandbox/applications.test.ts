import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BASE, bench, COMPANY } from './support.ts';

test('a created application has every member in documented order, and echoes what was sent', async () => {
  const { create } = bench();
  const { status, text, json } = await create({
    purpose: 'working_capital',
    applicant: { first_name: 'Ada', email: 'ada@example.com' },
    reference: 'order_88421',
    introduction_id: 'intro_1',
    metadata: { ref: 'ä', __proto__x: '1' },
  });
  assert.equal(status, 201);
  assert.match(json.id, /^app_[0-9A-Za-z]{8}$/);
  assert.match(json.handoff_url, new RegExp(`^${BASE}/apply/s/[0-9A-Za-z]{24}$`));
  assert.equal(
    text.replace(json.id, 'ID').replace(json.handoff_url, 'URL'),
    '{"id":"ID","status":"created","amount_pence":2500000,"term_months":12,"handoff_url":"URL","created_at":"2026-07-04T10:00:00Z",' +
      '"business":{"company_number":"16093826","name":"Sample Trading Ltd"},"currency":"GBP","purpose":"working_capital",' +
      '"applicant":{"email":"ada@example.com","first_name":"Ada"},"redirect_uri":"https://yourapp.example/return","reference":"order_88421",' +
      '"introduction_id":"intro_1","metadata":{"ref":"ä","__proto__x":"1"},"decision_id":null,"account_id":null,' +
      '"updated_at":"2026-07-04T10:00:00Z","submitted_at":null,"decided_at":null,"funded_at":null,"withdrawn_at":null}',
  );
});

test('a company number, an amount and a term are enough, unless the sandbox is strict', async () => {
  const fields = { amount_pence: 100_000, term_months: 3, business: { company_number: 'sc000401' } };
  const { call } = bench();
  const { status, json } = await call('POST', '/partner/v1/applications', fields);
  assert.equal(status, 201);
  assert.equal(json.business.company_number, 'SC000401');
  const strict = await bench({ strict: true }).call('POST', '/partner/v1/applications', fields);
  assert.equal(strict.status, 400);
  assert.equal(strict.json.error.param, 'applicant.email');
  assert.equal(strict.json.error.code, 'parameter_missing');
});

test('each broken body is refused with its status, code and param', async () => {
  const { create, call } = bench();
  const rows: [Record<string, unknown>, number, string, string][] = [
    [{ amount_pence: undefined }, 400, 'parameter_missing', 'amount_pence'],
    [{ amount_pence: null }, 400, 'parameter_missing', 'amount_pence'],
    [{ amount_pence: '2500000' }, 400, 'parameter_invalid', 'amount_pence'],
    [{ amount_pence: 2500000.5 }, 400, 'parameter_invalid', 'amount_pence'],
    [{ amount_pence: 99_999 }, 422, 'amount_below_minimum', 'amount_pence'],
    [{ amount_pence: 25_000_001 }, 422, 'amount_above_maximum', 'amount_pence'],
    [{ term_months: 2 }, 422, 'term_out_of_range', 'term_months'],
    [{ term_months: 61 }, 422, 'term_out_of_range', 'term_months'],
    [{ business: {} }, 400, 'parameter_missing', 'business.company_number'],
    [{ business: 'x' }, 400, 'parameter_invalid', 'business'],
    [{ business: undefined, company_number: COMPANY }, 400, 'parameter_missing', 'business.company_number'],
    [{ business: { company_number: '123' } }, 400, 'parameter_invalid', 'business.company_number'],
    [{ business: { company_number: '00000410' } }, 422, 'company_not_eligible', 'business.company_number'],
    [{ business: { company_number: '00000411' } }, 422, 'company_not_found', 'business.company_number'],
    [{ business: { company_number: '12345678' } }, 422, 'company_not_found', 'business.company_number'],
    [{ purpose: 'yacht' }, 400, 'parameter_invalid', 'purpose'],
    [{ applicant: { email: 'nobody' } }, 400, 'parameter_invalid', 'applicant.email'],
    [{ applicant: { first_name: 'x'.repeat(101) } }, 422, 'validation_error', 'applicant.first_name'],
    [{ redirect_uri: 'http://example.com/' }, 400, 'parameter_invalid', 'redirect_uri'],
    [{ redirect_uri: 'http://127.0.0.1.evil.example/' }, 400, 'parameter_invalid', 'redirect_uri'],
    [{ redirect_uri: 'javascript:alert(1)' }, 400, 'parameter_invalid', 'redirect_uri'],
    [{ reference: 'x'.repeat(129) }, 422, 'validation_error', 'reference'],
    [{ metadata: { a: 1 } }, 400, 'parameter_invalid', 'metadata'],
    [{ metadata: { ['k'.repeat(41)]: 'v' } }, 422, 'validation_error', 'metadata'],
    [{ metadata: { k: 'v'.repeat(501) } }, 422, 'validation_error', 'metadata'],
    [
      { metadata: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, 'v'])) },
      422,
      'validation_error',
      'metadata',
    ],
  ];
  for (const [fields, status, code, param] of rows) {
    const { json, ...answer } = await create(fields);
    assert.deepEqual([answer.status, json.error.code, json.error.param], [status, code, param], JSON.stringify(fields));
    assert.equal(json.error.details[0].param, param);
  }
  assert.equal((await create({ redirect_uri: 'http://localhost:3000/back' })).status, 201);
  const list = await call('GET', '/partner/v1/applications');
  assert.equal(list.json.data.length, 1);
});

test('presence and type come before range, and each pass names every failing field', async () => {
  const { create } = bench();
  const first = await create({ amount_pence: 1, term_months: 'x', business: { company_number: '1' } });
  assert.equal(first.status, 400);
  assert.deepEqual(
    first.json.error.details.map(({ param }: { param: string }) => param),
    ['term_months', 'business.company_number'],
  );
  const second = await create({ amount_pence: 1, term_months: 61, business: { company_number: '00000411' } });
  assert.equal(second.status, 422);
  assert.equal(second.json.error.code, 'amount_below_minimum');
  assert.deepEqual(
    second.json.error.details.map(({ code }: { code: string }) => code),
    ['amount_below_minimum', 'term_out_of_range', 'company_not_found'],
  );
});

test('an unknown company names the reserved numbers; a lenient sandbox approves it', async () => {
  const business = { company_number: '12345678' };
  assert.match((await bench().create({ business })).json.error.message, /00000401/);
  const { create, advance, call } = bench({ lenient: true });
  const { json } = await create({ business });
  assert.equal(json.business.name, 'Lenient Company 12345678');
  await advance('1s');
  assert.equal((await call('GET', `/partner/v1/decisions/${json.id}`)).json.outcome, 'approved');
});

test('own companies join the table and replace rows of the same number', async () => {
  const row = {
    documented: false,
    effect: 'decline',
    outcome: 'declined',
    reason: 'affordability',
    notes: '',
  } as const;
  const { create, advance, call } = bench({
    companies: [
      { ...row, number: '99999999', name: 'Own Ltd' },
      { ...row, number: COMPANY, name: 'Mine now' },
    ],
  });
  for (const number of ['99999999', COMPANY]) {
    const { json } = await create({ business: { company_number: number } });
    await advance('1s');
    assert.equal((await call('GET', `/partner/v1/decisions/${json.id}`)).json.reason, 'affordability');
  }
  const table = await call('GET', '/_sandbox/companies');
  assert.equal(table.json.length, 16);
});

test('lists are newest first, filtered, and stable while new ones come', async () => {
  const { create, call, advance } = bench();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push((await create()).json.id);
  await call('POST', `/partner/v1/applications/${ids[0]}/withdraw`);
  const first = await call('GET', '/partner/v1/applications?limit=2');
  assert.deepEqual(
    first.json.data.map(({ id }: { id: string }) => id),
    [ids[4], ids[3]],
  );
  assert.equal(first.json.has_more, true);
  await create();
  const rest = await call('GET', `/partner/v1/applications?limit=100&cursor=${first.json.next_cursor}`);
  assert.deepEqual(
    rest.json.data.map(({ id }: { id: string }) => id),
    [ids[2], ids[1], ids[0]],
  );
  assert.deepEqual([rest.json.has_more, rest.json.next_cursor], [false, null]);
  const gone = await call('GET', '/partner/v1/applications?status=withdrawn');
  assert.deepEqual(
    gone.json.data.map(({ id }: { id: string }) => id),
    [ids[0]],
  );
  await advance('24h');
  const late = (await create()).json.id;
  const after = await call('GET', '/partner/v1/applications?created_after=2026-07-05');
  assert.deepEqual(
    after.json.data.map(({ id }: { id: string }) => id),
    [late],
  );
  const inclusive = await call('GET', '/partner/v1/applications?created_after=2026-07-05T10:00:00Z');
  assert.equal(inclusive.json.data.length, 1);
});

test('a bad limit, status, instant or made-up cursor is refused', async () => {
  const { call, create } = bench();
  await create();
  await create();
  const { json } = await call('GET', '/partner/v1/applications?limit=1');
  const forged = Buffer.from('v1:1:0000000000000000').toString('base64url');
  const rows: [string, string][] = [
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=1e1', 'limit'],
    ['limit=', 'limit'],
    ['status=referred', 'status'],
    ['created_after=yesterday', 'created_after'],
    [`cursor=${forged}`, 'cursor'],
    ['cursor=', 'cursor'],
    [`cursor=${json.next_cursor}x`, 'cursor'],
  ];
  for (const [query, param] of rows) {
    const { status, json } = await call('GET', `/partner/v1/applications?${query}`);
    assert.deepEqual([status, json.error.code, json.error.param], [400, 'parameter_invalid', param], query);
  }
  const elsewhere = await call('GET', `/partner/v1/payments?cursor=${json.next_cursor}`);
  assert.equal(elsewhere.status, 400);
});

test('submit works once, withdraw until funding and not after a decline', async () => {
  const { create, call, advance } = bench({ autoSubmit: false });
  const { id } = (await create()).json;
  await advance('1h');
  assert.equal((await call('GET', `/partner/v1/applications/${id}`)).json.status, 'created');
  const submitted = await call('POST', `/partner/v1/applications/${id}/submit`);
  assert.deepEqual([submitted.status, submitted.json.status], [200, 'submitted']);
  const again = await call('POST', `/partner/v1/applications/${id}/submit`);
  assert.deepEqual([again.status, again.json.error.code], [409, 'state_conflict']);
  const withdrawn = await call('POST', `/partner/v1/applications/${id}/withdraw`);
  assert.deepEqual([withdrawn.status, withdrawn.json.status], [200, 'withdrawn']);
  await advance('1m');
  const later = (await call('GET', `/partner/v1/applications/${id}`)).json;
  assert.deepEqual([later.status, later.decision_id], ['withdrawn', null]);
  const declined = (await create({ business: { company_number: '00000403' } })).json.id;
  await call('POST', `/partner/v1/applications/${declined}/submit`);
  await advance('1s');
  assert.equal((await call('POST', `/partner/v1/applications/${declined}/withdraw`)).status, 409);
});

test('an object of another project is hidden', async () => {
  const { create, bare } = bench();
  const { id } = (await create()).json;
  const other = { authorization: 'Bearer sk_test_scale' };
  const seen = await bare('GET', `/partner/v1/applications/${id}`, undefined, other);
  assert.deepEqual([seen.status, seen.json.error.code], [404, 'resource_missing']);
  assert.equal((await bare('GET', '/partner/v1/applications', undefined, other)).json.data.length, 0);
});

test('the published validation example posts JSON under a form type and is understood', async () => {
  const { bare } = bench();
  const { status, json } = await bare('POST', '/partner/v1/applications', '{ "term_months": 12 }', {
    authorization: 'Bearer sk_test_local',
    'content-type': 'application/x-www-form-urlencoded',
  });
  assert.equal(status, 400);
  assert.equal(json.error.message, 'Missing required parameter: amount_pence.');
  assert.equal(json.error.param, 'amount_pence');
});

test('a body that is not a JSON object is refused', async () => {
  const { bare } = bench();
  const bodies = ['{', '[]', '"x"', '1', '{"a":1}}', 'null', '\u0000'];
  for (const body of bodies) {
    const { status, json } = await bare('POST', '/partner/v1/applications', body, {
      authorization: 'Bearer sk_test_local',
    });
    assert.deepEqual([status, json.error.code], [400, 'invalid_request'], body);
  }
  const deep = await bare('POST', '/partner/v1/applications', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, {
    authorization: 'Bearer sk_test_local',
    'idempotency-key': 'deep',
  });
  assert.equal(deep.status, 400);
});
