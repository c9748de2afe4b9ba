import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleEvent } from '../../src/lib/contract/event-samples.ts';
import {
  EVENT_TYPES,
  eventMatches,
  isEventPattern,
  isEventType,
  readAs,
  setInEvent,
} from '../../src/lib/contract/events.ts';

test('wildcards match a whole family and nothing beside it', () => {
  assert.ok(eventMatches('*', 'anything.new'));
  assert.ok(eventMatches('payment.*', 'payment.settled'));
  assert.ok(eventMatches('identity.*', 'identity.check.completed'));
  assert.ok(!eventMatches('payment.*', 'payments.settled'));
  assert.ok(!eventMatches('payment.*', 'payment'));
  assert.ok(!eventMatches('payment.settled', 'payment.failed'));
});

test('an endpoint may name known types, families of them, and the star', () => {
  for (const pattern of ['*', 'decision.*', 'identity.check.*', 'loan.closed'])
    assert.ok(isEventPattern(pattern), pattern);
  for (const pattern of ['decision', 'nope.*', '**', '', 'decision.comp*'])
    assert.ok(!isEventPattern(pattern), pattern);
  assert.ok(!isEventType('toString'));
});

test('the two other names are read as the types they stand for', () => {
  assert.equal(readAs('decision.referred'), 'decision.completed');
  assert.equal(readAs('payment.succeeded'), 'payment.settled');
  assert.equal(readAs('loan.closed'), 'loan.closed');
});

test('a sample has fresh ids, the same one wherever the old one stood', () => {
  let n = 0;
  for (const type of Object.keys(EVENT_TYPES).filter(isEventType)) {
    const event = sampleEvent(type, { id: 'evt_1', created: '2026-07-04T10:00:00Z' }, (prefix) => `${prefix}N${n++}`);
    assert.doesNotMatch(JSON.stringify(event), /8Kd2c9Qm|5H2N8kQz|9F3K2P|6Yb2Qe8R/, type);
    const { data } = event;
    const object = data['object'] as Record<string, unknown>;
    if (typeof data['decision_id'] === 'string') assert.equal(object['id'], data['decision_id']);
    if (type === 'application.funded') assert.equal(object['account_id'], data['account_id']);
  }
});

test('a key that stands in data and in its object is set in both; id and type are not to be set', () => {
  const event = sampleEvent('decision.completed', { id: 'evt_1', created: 'c' }, (prefix) => `${prefix}1`);
  assert.ok(setInEvent(event, 'data.outcome', 'declined'));
  assert.equal((event.data['object'] as Record<string, unknown>)['outcome'], 'declined');
  assert.ok(setInEvent(event, 'data.object.reason', 'affordability'));
  assert.equal(event.data['reason'], 'affordability');
  assert.ok(setInEvent(event, 'data.extra.deep', 1));
  assert.deepEqual(event.data['extra'], { deep: 1 });
  for (const path of ['id', 'type', 'data.__proto__.x', 'data..x', '']) assert.ok(!setInEvent(event, path, 1), path);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});
