import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, type Bench, type Body } from './support.ts';

/** Types and statuses of every event so far, oldest first. */
async function eventsOf({ call }: Bench): Promise<string[]> {
  const { json } = await call('GET', '/_sandbox/events?limit=100');
  return json.data.reverse().map(({ type, data }: Body) => `${type} ${data.outcome ?? data.status}`);
}

async function story(one: Bench, number: string, amount = 2_500_000): Promise<string> {
  return (await one.create({ business: { company_number: number }, amount_pence: amount })).json.id;
}

test('an automatic run emits its events in order, each step at its time', async () => {
  const one = bench();
  const id = await story(one, '16093826');
  await one.advance('149ms');
  assert.deepEqual(await eventsOf(one), []);
  await one.advance('1ms');
  assert.deepEqual(await eventsOf(one), ['application.submitted submitted', 'application.updated submitted']);
  assert.equal((await one.call('GET', `/partner/v1/decisions/${id}`)).json.error.code, 'decision_not_ready');
  await one.advance('10s');
  assert.deepEqual((await eventsOf(one)).slice(2), [
    'application.updated in_review',
    'decision.completed approved',
    'application.updated approved',
  ]);
  const { json } = await one.call('GET', '/_sandbox/events?limit=100');
  const [approved, decision, , updated] = json.data;
  assert.deepEqual(approved.data.previous, { status: 'in_review', decision_id: null });
  assert.deepEqual(updated.data.previous, { status: 'created' });
  assert.equal('previous' in decision.data, false);
  assert.equal(decision.data.object.id, decision.data.decision_id);
});

test('the offer is that of the published arithmetic', async () => {
  const one = bench();
  const id = await story(one, '16093826');
  await one.advance('1s');
  const { json, text } = await one.call('GET', `/partner/v1/decisions/${id}`);
  assert.equal(
    text.replace(json.id, 'DEC').replace(id, 'APP'),
    '{"id":"DEC","application_id":"APP","outcome":"approved","reason":null,"amount_pence":2500000,"currency":"GBP","term_months":12,"conditions":[],' +
      '"offer":{"amount_pence":2500000,"term_months":12,"annual_rate_bps":1200,"arrangement_fee_pence":50000,"monthly_repayment_pence":222122,"expires_at":"2026-07-18T10:00:00Z"},' +
      '"created_at":"2026-07-04T10:00:00Z","updated_at":"2026-07-04T10:00:00Z"}',
  );
});

test('each reserved company has its documented end', async () => {
  const one = bench();
  const { json: companies } = await one.call('GET', '/_sandbox/companies');
  for (const { number, outcome, reason } of companies) {
    if (outcome === null) continue;
    const id = await story(one, number);
    await one.advance('30s');
    const decision = (await one.call('GET', `/partner/v1/decisions/${id}`)).json;
    assert.deepEqual([decision.outcome, decision.reason], [outcome, reason], number);
    const { status } = (await one.call('GET', `/partner/v1/applications/${id}`)).json;
    assert.equal(status, outcome === 'referred' ? 'in_review' : outcome, number);
    assert.equal(decision.offer !== null, outcome === 'approved');
    assert.equal(decision.conditions.length, number === 'OC000401' ? 1 : 0);
  }
});

test('a referral resolves 2 s later under the same id, with what changed', async () => {
  const one = bench();
  const id = await story(one, '00000402');
  await one.advance('600ms');
  const referred = (await one.call('GET', `/partner/v1/decisions/${id}`)).json;
  assert.equal(referred.outcome, 'referred');
  await one.advance('1999ms');
  assert.equal((await one.call('GET', `/partner/v1/decisions/${referred.id}`)).json.outcome, 'referred');
  await one.advance('1ms');
  const approved = (await one.call('GET', `/partner/v1/decisions/${referred.id}`)).json;
  assert.equal(approved.outcome, 'approved');
  const { json } = await one.call('GET', '/_sandbox/events?type=decision.completed');
  assert.equal(json.data.length, 2);
  assert.deepEqual(json.data[0].data.previous, { outcome: 'referred', offer: null });
});

test('over £150,000 an approval is referred first; slow companies take 10 s before that', async () => {
  const one = bench();
  const id = await story(one, '16093826', 15_000_001);
  const slow = await story(one, '00000408', 15_000_001);
  const outcome = async (of: string): Promise<string> => {
    const { json } = await one.call('GET', `/partner/v1/decisions/${of}`);
    return json.outcome ?? json.error.code;
  };
  await one.advance('600ms');
  assert.equal(await outcome(id), 'referred');
  assert.equal(await outcome(slow), 'decision_not_ready');
  await one.advance('2s');
  assert.equal(await outcome(id), 'approved');
  await one.advance('7700ms');
  assert.equal(await outcome(slow), 'referred');
  await one.advance('2s');
  assert.equal(await outcome(slow), 'approved');
});

test('a decision is found by either id and by query', async () => {
  const one = bench();
  const id = await story(one, '00000403');
  const early = await one.call('GET', `/partner/v1/decisions?application=${id}`);
  assert.deepEqual(early.json, { data: [], has_more: false, next_cursor: null });
  await one.advance('1s');
  const byQuery = (await one.call('GET', `/partner/v1/decisions?application=${id}`)).json.data[0];
  assert.equal(byQuery.outcome, 'declined');
  assert.equal((await one.call('GET', `/partner/v1/decisions/${byQuery.id}`)).json.id, byQuery.id);
  assert.equal((await one.call('GET', '/partner/v1/decisions')).json.error.code, 'parameter_missing');
  assert.equal((await one.call('GET', '/partner/v1/decisions/dec_nothing1')).status, 404);
});

test('a refresh with a lower amount approves a referral; the application keeps what was asked for', async () => {
  const one = bench();
  const id = await story(one, '16093826', 20_000_000);
  assert.equal((await one.call('POST', `/partner/v1/decisions/${id}/refresh`)).json.error.code, 'decision_not_ready');
  await one.advance('600ms');
  const queued = await one.call('POST', `/partner/v1/decisions/${id}/refresh`, {
    amount_pence: 14_000_000,
    term_months: 24,
  });
  assert.equal(queued.status, 202);
  assert.deepEqual(Object.keys(queued.json), ['id', 'application_id', 'refresh_status', 'requested_at']);
  const twice = await one.call('POST', `/partner/v1/decisions/${id}/refresh`);
  assert.deepEqual([twice.status, twice.json.error.code], [409, 'refresh_in_progress']);
  await one.advance('300ms');
  const decision = (await one.call('GET', `/partner/v1/decisions/${id}`)).json;
  assert.deepEqual([decision.outcome, decision.amount_pence, decision.offer.term_months], ['approved', 14_000_000, 24]);
  const application = (await one.call('GET', `/partner/v1/applications/${id}`)).json;
  assert.deepEqual([application.status, application.amount_pence], ['approved', 20_000_000]);
  await one.advance('1h');
  assert.equal((await eventsOf(one)).filter((line) => line.startsWith('decision')).length, 2);
});

test('a refresh of an approval follows the inputs, of a decline changes nothing, of a held referral holds', async () => {
  const one = bench();
  const refreshed = async (number: string, body?: object): Promise<Body> => {
    const id = await story(one, number);
    await one.advance('5s');
    assert.equal((await one.call('POST', `/partner/v1/decisions/${id}/refresh`, body)).status, 202);
    await one.advance('5s');
    return (await one.call('GET', `/partner/v1/decisions/${id}`)).json;
  };
  const approved = await refreshed('16093826', { amount_pence: 24_000_000 });
  assert.deepEqual([approved.outcome, approved.offer.amount_pence], ['approved', 24_000_000]);
  const declined = await refreshed('00000404', { amount_pence: 100_000 });
  assert.deepEqual([declined.outcome, declined.amount_pence], ['declined', 2_500_000]);
  assert.equal((await refreshed('00000409')).outcome, 'referred');
  const bad = await one.call('POST', `/partner/v1/decisions/${approved.id}/refresh`, { term_months: 61 });
  assert.equal(bad.json.error.code, 'term_out_of_range');
});

test('a withdrawn application takes no refresh and no resolution', async () => {
  const one = bench();
  const id = await story(one, '00000402');
  await one.advance('700ms');
  await one.call('POST', `/partner/v1/applications/${id}/withdraw`);
  assert.equal((await one.call('POST', `/partner/v1/decisions/${id}/refresh`)).json.error.code, 'state_conflict');
  await one.advance('1h');
  assert.equal((await one.call('GET', `/partner/v1/decisions/${id}`)).json.outcome, 'referred');
  assert.equal((await eventsOf(one)).at(-1), 'application.updated withdrawn');
});
