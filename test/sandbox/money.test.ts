import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dueDate } from '../../src/lib/sandbox/lifecycle/funding.ts';
import { bench, type Bench, type Body, type Reply } from './support.ts';

const PAY = { amount: 250_000, currency: 'GBP', scheme: 'pisp' };
const PAYMENTS = '/partner/v1/payments';
const LINKS = '/partner/v1/payments/links';

const pay = ({ call }: Bench, fields: object = {}): Promise<Reply> => call('POST', PAYMENTS, { ...PAY, ...fields });
const link = ({ call }: Bench, fields: object = {}): Promise<Reply> =>
  call('POST', LINKS, { amount: 45_000, reference: 'INV-5512', ...fields });

async function approved(one: Bench, fields: object = {}): Promise<string> {
  const { id } = (await one.create({ ...fields })).json;
  await one.advance('1s');
  return id;
}

async function funded(one: Bench, fields: object = {}): Promise<Body> {
  const id = await approved(one, fields);
  const { status, json } = await one.call('POST', `/_sandbox/applications/${id}/fund`);
  assert.equal(status, 200);
  return json;
}

async function types({ call }: Bench): Promise<string[]> {
  const { json } = await call('GET', '/_sandbox/events?limit=100');
  return json.data.map(({ type }: Body) => type).reverse();
}

test('a collection is accepted, then ends by the last digits of its amount', async () => {
  const one = bench();
  const rows: [number, string, string | null][] = [
    [250_000, 'settled', null],
    [101, 'failed', 'insufficient_funds'],
    [102, 'failed', 'technical_error'],
    [103, 'failed', 'disputed_by_customer'],
    [104, 'processing', null],
  ];
  for (const [amount, status, code] of rows) {
    const reply = await pay(one, { amount, reference: 'INV' });
    assert.deepEqual([reply.status, reply.json.status], [202, 'processing']);
    await one.advance('299ms');
    assert.equal((await one.call('GET', `${PAYMENTS}/${reply.json.id}`)).json.status, 'processing');
    await one.advance('1ms');
    const { json } = await one.call('GET', `${PAYMENTS}/${reply.json.id}`);
    assert.deepEqual([json.status, json.failure_code], [status, code]);
  }
});

test('the event of a payment carries its flat keys and what changed', async () => {
  const one = bench();
  await pay(one, { amount: 45_001, reference: 'INV-5513' });
  await one.advance('1s');
  const [{ data }] = (await one.call('GET', '/_sandbox/events?type=payment.failed')).json.data;
  assert.deepEqual(Object.keys(data), [
    'payment_id',
    'status',
    'amount',
    'currency',
    'reference',
    'application_id',
    'payment_link_id',
    'failure_code',
    'object',
    'previous',
  ]);
  assert.deepEqual(data.previous, { status: 'processing', failure_code: null });
});

test('an invalid payment is refused', async () => {
  const one = bench();
  const id = await approved(one);
  const fresh = (await one.create()).json.id;
  const rows: [object, number, string, string | undefined][] = [
    [{ amount: undefined }, 400, 'parameter_missing', 'amount'],
    [{ amount: '1' }, 400, 'parameter_invalid', 'amount'],
    [{ amount: 0 }, 422, 'validation_error', 'amount'],
    [{ currency: 'EUR' }, 422, 'validation_error', 'currency'],
    [{ scheme: 'card' }, 400, 'parameter_invalid', 'scheme'],
    [{ reference: 'x'.repeat(65) }, 422, 'validation_error', 'reference'],
    [{ scheme: 'direct_debit' }, 400, 'parameter_missing', 'mandate_id'],
    [{ scheme: 'direct_debit', mandate_id: 'mnd_sbx_pending' }, 409, 'mandate_not_active', 'mandate_id'],
    [{ scheme: 'direct_debit', mandate_id: 'mnd_sbx_revoked' }, 409, 'mandate_not_active', 'mandate_id'],
    [{ scheme: 'direct_debit', mandate_id: 'mnd_other' }, 404, 'resource_missing', 'mandate_id'],
    [{ application_id: 'app_nothing' }, 404, 'resource_missing', 'application_id'],
    [{ application_id: fresh }, 409, 'state_conflict', 'application_id'],
    [{ application_id: id, amount: 2_500_001 }, 422, 'amount_above_maximum', 'amount'],
  ];
  for (const [fields, status, code, param] of rows) {
    const reply = await pay(one, fields);
    assert.deepEqual(
      [reply.status, reply.json.error.code, reply.json.error.param],
      [status, code, param],
      JSON.stringify(fields),
    );
  }
  assert.equal((await pay(one, { scheme: 'direct_debit', mandate_id: 'mnd_sbx_active' })).status, 202);
});

test('payments are listed by status and application', async () => {
  const one = bench();
  const id = await approved(one);
  await pay(one);
  await pay(one, { application_id: id });
  await one.advance('1s');
  const ids = async (query: string): Promise<number> =>
    (await one.call('GET', `${PAYMENTS}?${query}`)).json.data.length;
  assert.deepEqual(
    [await ids(''), await ids('status=settled'), await ids(`application_id=${id}`), await ids('status=failed')],
    [2, 1, 1, 0],
  );
  assert.equal((await one.call('GET', `${PAYMENTS}?status=paid`)).status, 400);
});

test('a link has every member, is read, and expires after 7 days', async () => {
  const one = bench();
  const { json, text, status } = await link(one, { payer: { name: 'Ada Sample', email: 'ada@example.com' } });
  assert.equal(status, 201);
  assert.match(json.url, /\/pay\/[0-9A-Za-z]{24}$/);
  assert.equal(
    text.replace(json.id, 'ID').replace(json.url, 'URL'),
    '{"id":"ID","status":"open","url":"URL","amount":45000,"currency":"GBP","reference":"INV-5512","payer":{"name":"Ada Sample","email":"ada@example.com"},' +
      '"application_id":null,"redirect_uri":null,"expires_at":"2026-07-11T10:00:00Z","created_at":"2026-07-04T10:00:00Z","metadata":{}}',
  );
  await one.advance('167h');
  assert.equal((await one.call('GET', `${LINKS}/${json.id}`)).json.status, 'open');
  await one.advance('1h');
  assert.equal((await one.call('GET', `${LINKS}/${json.id}`)).json.status, 'expired');
  const paid = await one.call('POST', `/_sandbox/payments/links/${json.id}/pay`);
  assert.deepEqual([paid.status, paid.json.error.code], [409, 'state_conflict']);
  assert.equal((await one.call('GET', LINKS)).status, 405);
  assert.equal((await one.call('GET', `${LINKS}/plink_x`)).status, 404);
});

test('an invalid link is refused', async () => {
  const one = bench();
  const rows: [object, number, string, string][] = [
    [{ amount: 0 }, 422, 'validation_error', 'amount'],
    [{ reference: '' }, 422, 'validation_error', 'reference'],
    [{ reference: undefined }, 400, 'parameter_missing', 'reference'],
    [{ expires_at: '2026-07-04T09:00:00Z' }, 422, 'validation_error', 'expires_at'],
    [{ expires_at: 'tomorrow' }, 400, 'parameter_invalid', 'expires_at'],
    [{ payer: { email: 'x' } }, 400, 'parameter_invalid', 'payer.email'],
    [{ application_id: 'app_x' }, 404, 'resource_missing', 'application_id'],
    [{ redirect_uri: '/back' }, 400, 'parameter_invalid', 'redirect_uri'],
  ];
  for (const [fields, status, code, param] of rows) {
    const reply = await link(one, fields);
    assert.deepEqual([reply.status, reply.json.error.code, reply.json.error.param], [status, code, param]);
  }
});

test('a link is paid by rule or by order, at once', async () => {
  const one = bench();
  const act = async (amount: number, body?: object): Promise<Body> => {
    const { id } = (await link(one, { amount })).json;
    return (await one.call('POST', `/_sandbox/payments/links/${id}/pay`, body)).json;
  };
  const byRule = await act(45_000);
  assert.deepEqual([byRule.payment.status, byRule.payment_link.status], ['settled', 'paid']);
  assert.equal(byRule.payment.payment_link_id, byRule.payment_link.id);
  const failed = await act(45_001);
  assert.deepEqual([failed.payment.failure_code, failed.payment_link.status], ['insufficient_funds', 'open']);
  const ordered = await act(45_000, { outcome: 'failed', failure_code: 'technical_error' });
  assert.deepEqual([ordered.payment.failure_code, ordered.payment_link.status], ['technical_error', 'open']);
  assert.equal((await act(45_001, { outcome: 'settled' })).payment_link.status, 'paid');
});

test('funding settles the oldest drawdown, opens the account, and emits the events in order', async () => {
  const one = bench();
  const id = await approved(one);
  const { id: drawdown } = (await pay(one, { amount: 1_000_000, application_id: id })).json;
  await one.advance('1h');
  assert.equal((await one.call('GET', `${PAYMENTS}/${drawdown}`)).json.status, 'processing');
  const { json } = await one.call('POST', `/_sandbox/applications/${id}/fund`);
  assert.deepEqual([json.payment.id, json.payment.status], [drawdown, 'settled']);
  assert.deepEqual([json.application.status, json.application.account_id], ['funded', json.account.id]);
  assert.equal(json.account.balance_pence, 88_849 * 12);
  assert.deepEqual((await types(one)).slice(-3), ['application.funded', 'payment.settled', 'account.updated']);
  const [{ data }] = (await one.call('GET', '/_sandbox/events?type=application.funded')).json.data;
  assert.deepEqual(data.previous, { status: 'approved', account_id: null });
  assert.equal((await one.call('POST', `/_sandbox/applications/${id}/fund`)).json.error.code, 'state_conflict');
  assert.equal((await one.call('POST', `/partner/v1/applications/${id}/withdraw`)).status, 409);
});

test('an account has the published figures and is collected until it closes', async () => {
  const one = bench();
  const { account, payment } = await funded(one);
  assert.equal(payment.amount, 2_500_000);
  assert.deepEqual(
    { ...account, id: 'ID', application_id: 'APP' },
    {
      id: 'ID',
      application_id: 'APP',
      status: 'active',
      balance_pence: 2_665_464,
      arrears_pence: 0,
      currency: 'GBP',
      next_payment: { due_on: '2026-08-04', amount_pence: 222_122 },
      opened_at: '2026-07-04T10:00:01Z',
    },
  );
  const read = async (): Promise<Body> => (await one.call('GET', `/partner/v1/accounts/${account.id}`)).json;
  await one.advance('31d');
  assert.deepEqual(
    [(await read()).balance_pence, (await read()).next_payment.due_on],
    [2_665_464 - 222_122, '2026-09-04'],
  );
  await one.advance('365d');
  const closed = await read();
  assert.deepEqual([closed.status, closed.balance_pence, closed.next_payment], ['closed', 0, null]);
  const collected = (await one.call('GET', `${PAYMENTS}?application_id=${account.application_id}&limit=100`)).json.data;
  assert.equal(collected.length, 13);
  assert.equal((await one.call('GET', '/partner/v1/accounts?status=closed')).json.data.length, 1);
});

test('a failed collection is arrears; repayments lower them with the balance', async () => {
  const one = bench();
  const { account, application } = await funded(one);
  await one.call('POST', '/_sandbox/faults', { kind: 'payment_fail', match: { application_id: application.id } });
  await one.advance('31d');
  const read = async (): Promise<Body> => (await one.call('GET', `/partner/v1/accounts/${account.id}`)).json;
  let now = await read();
  assert.deepEqual(
    [now.status, now.arrears_pence, now.balance_pence, now.next_payment.due_on],
    ['in_arrears', 222_122, 2_665_464, '2026-09-04'],
  );
  const repay = async (amount: number): Promise<void> => {
    const { id } = (await link(one, { amount, application_id: application.id })).json;
    await one.call('POST', `/_sandbox/payments/links/${id}/pay`, { outcome: 'settled' });
    now = await read();
  };
  await repay(22_122);
  assert.deepEqual([now.status, now.arrears_pence, now.balance_pence], ['in_arrears', 200_000, 2_643_342]);
  await repay(200_000);
  assert.deepEqual([now.status, now.arrears_pence, now.next_payment.due_on], ['active', 0, '2026-09-04']);
  await repay(2_443_342);
  assert.deepEqual([now.status, now.balance_pence, now.next_payment], ['closed', 0, null]);
  await one.advance('60d');
  assert.equal((await one.call('GET', `${PAYMENTS}?application_id=${application.id}&limit=100`)).json.data.length, 5);
});

function due(opened: string, n: number): string {
  return new Date(dueDate(Date.parse(opened), n)).toISOString();
}

test('a due date is clamped to the end of its month', () => {
  assert.equal(due('2026-01-31T10:00:00Z', 1), '2026-02-28T06:00:00.000Z');
  assert.equal(due('2026-01-31T10:00:00Z', 2), '2026-03-31T06:00:00.000Z');
  assert.equal(due('2027-12-31T10:00:00Z', 2), '2028-02-29T06:00:00.000Z');
});

test('an identity check completes by the name of its subject', async () => {
  const one = bench();
  const subject = { first_name: 'Ada', last_name: 'Sample', date_of_birth: '1990-01-01' };
  const check = (fields: object = {}): Promise<Reply> =>
    one.call('POST', '/partner/v1/identity/checks', { subject, ...fields });
  const rows: [string, string, string | undefined][] = [
    ['Sample', 'passed', undefined],
    ['FAIL', 'failed', 'sanctions'],
    ['Refer', 'referred', 'pep'],
    ['pending', 'pending', undefined],
  ];
  for (const [last_name, status, spoiled] of rows) {
    const { json, ...reply } = await check({ subject: { ...subject, last_name } });
    assert.deepEqual([reply.status, json.status, json.checks], [201, 'pending', []]);
    await one.advance('300ms');
    const done = (await one.call('GET', `/partner/v1/identity/checks/${json.id}`)).json;
    assert.equal(done.status, status);
    assert.equal(done.checks.find(({ result }: Body) => result !== 'pass')?.name, spoiled);
    assert.equal(done.completed_at === null, status === 'pending');
  }
  const [{ data }] = (await one.call('GET', '/_sandbox/events?type=identity.check.completed')).json.data;
  assert.deepEqual(data.previous, { status: 'pending' });
  const bad: [object, number, string, string][] = [
    [{ subject: { last_name: 'x' } }, 400, 'parameter_missing', 'subject.first_name'],
    [{ subject: { first_name: 'a', last_name: 'b' } }, 422, 'validation_error', 'subject.date_of_birth'],
    [{ subject: { ...subject, date_of_birth: '1990-02-30' } }, 400, 'parameter_invalid', 'subject.date_of_birth'],
    [{ application_id: 'app_x' }, 404, 'resource_missing', 'application_id'],
  ];
  for (const [fields, status, code, param] of bad) {
    const { json, ...reply } = await check(fields);
    assert.deepEqual([reply.status, json.error.code, json.error.param], [status, code, param]);
  }
  assert.equal((await check({ subject: { first_name: 'a', last_name: 'b', address: { postcode: 'X' } } })).status, 201);
});
