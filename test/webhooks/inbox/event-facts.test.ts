import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EventCondition, eventFits } from '../../../src/lib/contract/events.ts';
import { eventFacts } from '../../../src/lib/webhooks/inbox/inbox.ts';

const body = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const event = body(
  '{"id":"evt_1","type":"decision.completed","data":{"outcome":"approved","n":9007199254740993,"x":null,"l":[{"a":true}]}}',
);

for (const [types, where, fits] of [
  [[], [], true],
  [['decision.*'], [], true],
  [['payment.*', 'decision.completed'], [], true],
  [['payment.*'], [], false],
  [[], ['data.outcome=approved'], true],
  [[], ['data.outcome=declined'], false],
  [[], ['data.outcome=approved', 'id=evt_2'], false],
  [[], ['data.n=9007199254740993'], true],
  [[], ['data.x=null'], true],
  [[], ['data.y=null'], false],
  [[], ['data.l.0.a=true'], true],
  [[], ['data.__proto__.x=1'], false],
] as const) {
  test(`${types.join(' ')} ${where.join(' ')} → ${fits}`, () => {
    assert.equal(eventFits(event, types, where.map(conditionOf)), fits);
  });
}

function conditionOf(text: string): EventCondition {
  const [path = '', value = ''] = text.split('=');
  return { path, value };
}

test('a body that is not an event matches nothing', () => {
  for (const text of ['', 'x', '[]', '1', 'null']) assert.equal(eventFits(body(text), [], []), false);
});

test('an event says whom it is about, by flat key, then by object', () => {
  const facts = (value: unknown): unknown[] => {
    const { eventId, eventType, resourceId, orderKey, created } = eventFacts(body(value));
    return [eventId, eventType, resourceId, orderKey, created];
  };
  const at = Date.UTC(2026, 6, 4, 10);
  assert.deepEqual(
    facts({
      id: 'e',
      type: 'payment.settled',
      created: '2026-07-04T10:00:00Z',
      data: { payment_id: 'pay_1', object: { id: 'x' } },
    }),
    ['e', 'payment.settled', 'pay_1', 'pay_1', at],
  );
  assert.deepEqual(
    facts({
      id: 'e',
      type: 'decision.completed',
      created_at: at / 1000,
      data: { object: { decision_id: 'dec_1', application_id: 'app_1' } },
    }),
    ['e', 'decision.completed', 'dec_1', 'app_1', at],
  );
  assert.deepEqual(facts({ type: 'loan.closed', data: { object: { id: 'loan_1' } } }), [
    null,
    'loan.closed',
    'loan_1',
    'loan_1',
    0,
  ]);
  for (const value of ['', '[1]', '{"id":5,"type":"","data":[]}', `{"id":"${'x'.repeat(300)}"}`]) {
    assert.deepEqual(facts(value), [null, null, null, null, 0]);
  }
});
