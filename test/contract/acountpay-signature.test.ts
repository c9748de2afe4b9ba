/** AcountPay's two webhook schemes. The MACs are made here by openssl's own words: HMAC-SHA256, hex. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  acountPayEventId,
  type AcountPayGeneration,
  acountPayHeaders,
  type AcountPayInput,
  verifyAcountPay,
} from '../../src/lib/contract/acountpay-signature.ts';
import { Failure } from '../../src/lib/failure.ts';

const SECRET = 'webhook_secret_of_tests';
const NOW = 1_782_744_000;
const TEXT =
  '{"event":"payment.completed","timestamp":"2026-06-29T10:15:00Z","data":{"paymentId":"pay_1","status":"completed","note":"£"}}';
const body = Buffer.from(TEXT);
const hmac = (text: string | Buffer, secret: string | Buffer = SECRET): Buffer =>
  createHmac('sha256', secret).update(text).digest();

function delivery(
  generation: AcountPayGeneration,
  headers: Record<string, string>,
  more: Partial<AcountPayInput> = {},
) {
  return verifyAcountPay({ generation, headers, body, secrets: [SECRET], now: NOW, ...more });
}

const one = (mac: string, t: string | number = NOW): Record<string, string> => ({
  'x-acountpay-timestamp': String(t),
  'x-acountpay-signature': mac,
});
const genuine = hmac(`${NOW}.${TEXT}`).toString('hex');

describe('generation 1', () => {
  it('takes what was signed over time, dot and body', () => {
    assert.deepEqual(delivery(1, one(genuine)), { valid: true, warnings: [], timestamp: NOW, secretIndex: 0 });
    assert.deepEqual(acountPayHeaders(1, { secret: SECRET, t: NOW, body }), one(genuine));
    const rotated = delivery(1, one(genuine), { secrets: ['', 'new', SECRET] });
    assert.equal(rotated.valid && rotated.secretIndex, 2);
  });

  it('goes by 300 s, strictly, both ways', () => {
    for (const [skew, cause] of [
      [299, null],
      [300, 'stale_timestamp'],
      [-299, null],
      [-300, 'future_timestamp'],
    ] as const) {
      const verdict = delivery(1, one(genuine), { now: NOW + skew });
      assert.equal(verdict.valid ? null : verdict.cause, cause, String(skew));
    }
  });

  const table: [cause: string, headers: Record<string, string>, more?: Partial<AcountPayInput>][] = [
    ['missing_header', { 'x-acountpay-timestamp': String(NOW) }],
    ['missing_header', one('  ')],
    ['missing_timestamp', { 'x-acountpay-signature': genuine }],
    ['malformed_timestamp', one(genuine, NOW * 1000)],
    ['malformed_timestamp', one(genuine, '2026-06-29T10:15:00Z')],
    ['malformed_timestamp', one(genuine, -5)],
    ['uppercase_hex', one(genuine.toUpperCase())],
    ['base64_signature', one(hmac(`${NOW}.${TEXT}`).toString('base64'))],
    ['malformed_signature', one(genuine.slice(0, 40))],
    ['malformed_signature', one(`sha256=${genuine}`)],
    ['body_only_hmac', one(hmac(TEXT).toString('hex'))],
    ['wrong_signed_string', one(hmac(`${NOW}${TEXT}`).toString('hex'))],
    ['whitespace_in_secret', one(genuine), { secrets: [`${SECRET}\n`] }],
    ['quoted_secret', one(genuine), { secrets: [`"${SECRET}"`] }],
    ['body_newline_changed', one(hmac(`${NOW}.${TEXT}\n`).toString('hex'))],
    ['body_reserialised', one(genuine), { body: Buffer.from(JSON.stringify(JSON.parse(TEXT), null, 2)) }],
    ['wrong_secret', one(genuine), { secrets: ['another'] }],
    ['wrong_secret', one(genuine, NOW + 1)],
  ];
  for (const [index, [cause, headers, more]] of table.entries()) {
    it(`${index + 1}: ${cause}`, () => {
      const verdict = delivery(1, headers, more);
      assert.equal(verdict.valid ? 'valid' : verdict.cause, cause);
    });
  }

  it('an unexplained signature that is old is both', () => {
    const verdict = delivery(1, one(genuine, NOW - 900));
    assert.ok(!verdict.valid);
    assert.deepEqual([verdict.cause, verdict.also, verdict.skewSeconds], ['wrong_secret', ['stale_timestamp'], 900]);
  });
});

describe('generation 2', () => {
  const two = (mac: string): Record<string, string> => ({ 'x-webhook-signature': mac });
  const plain = hmac(TEXT).toString('hex');

  it('takes what was signed over the body, and warns each time', () => {
    const verdict = { valid: true, warnings: ['no_replay_protection'], timestamp: null, secretIndex: 0 };
    assert.deepEqual(delivery(2, two(plain)), verdict);
    assert.deepEqual(delivery(2, two(plain), { now: NOW + 10 ** 8 }), verdict, 'it never grows old');
    assert.deepEqual(acountPayHeaders(2, { secret: SECRET, t: NOW, body }), two(plain));
  });

  const table: [cause: string, headers: Record<string, string>, more?: Partial<AcountPayInput>][] = [
    ['missing_header', one(genuine)],
    ['uppercase_hex', two(plain.toUpperCase())],
    ['base64_signature', two(hmac(TEXT).toString('base64'))],
    ['malformed_signature', two('abc')],
    ['whitespace_in_secret', two(plain), { secrets: [`${SECRET} `] }],
    ['secret_prefix_removed', two(hmac(TEXT, 'abcdef').toString('hex')), { secrets: ['whsec_abcdef'] }],
    ['body_reserialised', two(plain), { body: Buffer.from(JSON.stringify(JSON.parse(TEXT), null, 4)) }],
    ['wrong_secret', two(plain), { secrets: ['another'] }],
  ];
  for (const [index, [cause, headers, more]] of table.entries()) {
    it(`${index + 1}: ${cause}`, () => {
      const verdict = delivery(2, headers, more);
      assert.equal(verdict.valid ? 'valid' : verdict.cause, cause);
    });
  }
});

it('a receiver without a secret is told, not fooled', () => {
  for (const secrets of [[], [''], [' \n']])
    assert.throws(
      () => delivery(1, one(genuine), { secrets }),
      (error: unknown) => error instanceof Failure && error.kind === 'usage',
    );
});

it('no change of body, time or signature passes, whatever it is', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<AcountPayGeneration>(1, 2),
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.nat(7),
      (generation, bytes, at, bit) => {
        const headers = acountPayHeaders(generation, { secret: SECRET, t: NOW, body: bytes });
        assert.equal(verifyAcountPay({ generation, headers, body: bytes, secrets: [SECRET], now: NOW }).valid, true);
        const changed = Uint8Array.from(bytes);
        const index = at % bytes.length;
        changed[index] = (changed[index] ?? 0) ^ (1 << bit);
        assert.equal(verifyAcountPay({ generation, headers, body: changed, secrets: [SECRET], now: NOW }).valid, false);
      },
    ),
  );
});

it('an id for telling repetitions, from event, payment and status', () => {
  const expected = createHash('sha256').update('payment.completed\npay_1\ncompleted').digest('hex').slice(0, 16);
  assert.equal(acountPayEventId(body), expected);
  assert.equal(acountPayEventId(Buffer.from(TEXT.replace('pay_1', 'pay_2'))) === expected, false);
  assert.match(
    acountPayEventId(Buffer.from('{"event":"payment.failed","data":{"paymentId":9007199254740993}}')) ?? '',
    /^[\da-f]{16}$/,
  );
  for (const text of ['', '[]', '{"event":1}', 'null']) assert.equal(acountPayEventId(Buffer.from(text)), null);
});
