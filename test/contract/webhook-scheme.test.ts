/** Signature schemes as data: AcountPay's two, and forms that a further provider may have. The MACs are made here by openssl's own words. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { findProvider } from '../../src/lib/auth/providers/provider.ts';
import { type DeliveryInput, verifyScheme } from '../../src/lib/contract/signature.ts';
import {
  CREDICORP_SCHEME,
  derivedEventId,
  type Headers,
  signedHeaders,
  type WebhookScheme,
} from '../../src/lib/contract/webhook-scheme.ts';
import { Failure } from '../../src/lib/failure.ts';

type Generation = 1 | 2;
const SCHEMES: Readonly<Record<Generation, WebhookScheme>> = {
  1: findProvider('acountpay', '/nonexistent').webhooks,
  2: findProvider('acountpay-v2', '/nonexistent').webhooks,
};
const SECRET = 'webhook_secret_of_tests';
const NOW = 1_782_744_000;
const TEXT =
  '{"event":"payment.completed","timestamp":"2026-06-29T10:15:00Z","data":{"paymentId":"pay_1","status":"completed","note":"£"}}';
const body = Buffer.from(TEXT);
const hmac = (text: string | Buffer, secret: string | Buffer = SECRET): Buffer =>
  createHmac('sha256', secret).update(text).digest();

function delivery(generation: Generation, headers: Headers, more: Partial<DeliveryInput> = {}) {
  return verifyScheme(SCHEMES[generation], headers, { body, secrets: [SECRET], now: NOW, ...more });
}

const one = (mac: string, t: string | number = NOW): Record<string, string> => ({
  'x-acountpay-timestamp': String(t),
  'x-acountpay-signature': mac,
});
const genuine = hmac(`${NOW}.${TEXT}`).toString('hex');

describe('generation 1', () => {
  it('accepts a signature over time, dot and body', () => {
    assert.deepEqual(delivery(1, one(genuine)), { valid: true, warnings: [], timestamp: NOW, secretIndex: 0 });
    assert.deepEqual(signedHeaders(SCHEMES[1], { secrets: [SECRET], t: NOW, body }), one(genuine));
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

  const table: [cause: string, headers: Record<string, string>, more?: Partial<DeliveryInput>][] = [
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

  it('accepts a signature over the body only, and warns each time', () => {
    const verdict = { valid: true, warnings: ['no_replay_protection'], timestamp: null, secretIndex: 0 };
    assert.deepEqual(delivery(2, two(plain)), verdict);
    assert.deepEqual(delivery(2, two(plain), { now: NOW + 10 ** 8 }), verdict, 'it never grows old');
    assert.deepEqual(signedHeaders(SCHEMES[2], { secrets: [SECRET], t: NOW, body }), two(plain));
  });

  const table: [cause: string, headers: Record<string, string>, more?: Partial<DeliveryInput>][] = [
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

it('a receiver without a secret gets an error, never a pass', () => {
  for (const secrets of [[], [''], [' \n']])
    assert.throws(
      () => delivery(1, one(genuine), { secrets }),
      (error: unknown) => error instanceof Failure && error.kind === 'usage',
    );
});

it("Credicorp's own scheme is the one its provider's file describes", () => {
  assert.deepEqual(findProvider('credicorp', '/nonexistent').webhooks, CREDICORP_SCHEME);
});

const bare: WebhookScheme = { ...SCHEMES[2], signatureHeader: 'x-sig' };
const timed: WebhookScheme = { ...SCHEMES[1], signatureHeader: 'x-sig', timestampHeader: 'x-time' };
const OTHERS: [what: string, scheme: WebhookScheme, headers: Record<string, string>][] = [
  [
    'a text before the MAC',
    { ...bare, signature: 'sha256={mac}' },
    { 'x-sig': `sha256=${hmac(TEXT).toString('hex')}` },
  ],
  ['base64', { ...bare, encoding: 'base64' }, { 'x-sig': hmac(TEXT).toString('base64') }],
  ['SHA-512', { ...bare, hash: 'sha512' }, { 'x-sig': createHmac('sha512', SECRET).update(TEXT).digest('hex') }],
  [
    'milliseconds, and another sign between',
    { ...timed, timestamp: 'unix_ms', signed: 'v0:{t}:{body}' },
    { 'x-time': `${NOW}000`, 'x-sig': hmac(`v0:${NOW}000:${TEXT}`).toString('hex') },
  ],
  [
    'a time as ISO 8601, after the body',
    { ...timed, timestamp: 'iso', signed: '{body}|{t}' },
    { 'x-time': '2026-06-29T14:40:00.000Z', 'x-sig': hmac(`${TEXT}|2026-06-29T14:40:00.000Z`).toString('hex') },
  ],
  [
    'pairs of other names',
    { ...CREDICORP_SCHEME, signatureHeader: 'x-sig', signature: 'time={t},sig={mac}' },
    { 'x-sig': `time=${NOW},sig=${hmac(`${NOW}.${TEXT}`).toString('hex')}` },
  ],
];
describe('a scheme of somebody else', () => {
  for (const [what, scheme, headers] of OTHERS) {
    it(`${what}: written, read, and refused when a letter changes`, () => {
      assert.deepEqual(signedHeaders(scheme, { secrets: [SECRET], t: NOW, body }), headers);
      const input = { body, secrets: ['other', SECRET], now: NOW };
      const verdict = verifyScheme(scheme, headers, input);
      assert.deepEqual([verdict.valid, verdict.valid && verdict.secretIndex], [true, 1]);
      assert.equal(verdict.valid && verdict.timestamp, scheme.timestamp === null ? null : NOW);
      const refused = (cause: string, more: object): void => {
        const judged = verifyScheme(scheme, headers, { ...input, ...more });
        assert.equal(judged.valid ? 'valid' : judged.cause, cause);
      };
      refused('wrong_secret', { secrets: ['other'] });
      refused('wrong_secret', { body: Buffer.from(TEXT.replace('pay_1', 'pay_2')) });
      refused('body_reserialised', { body: Buffer.from(JSON.stringify(JSON.parse(TEXT), null, 2)) });
      if (scheme.timestamp !== null) refused('stale_timestamp', { now: NOW + 300 });
      const cut = { ...headers, 'x-sig': headers['x-sig']?.slice(0, -2) };
      assert.equal(verifyScheme(scheme, cut, input).valid, false);
    });
  }
});

it('no change of body, time or signature passes, whatever it is', () => {
  const schemes = [SCHEMES[1], SCHEMES[2], CREDICORP_SCHEME, ...OTHERS.map(([, scheme]) => scheme)];
  fc.assert(
    fc.property(
      fc.constantFrom(...schemes),
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.nat(7),
      (scheme, bytes, at, bit) => {
        const headers = signedHeaders(scheme, { secrets: [SECRET], t: NOW, body: bytes });
        assert.equal(verifyScheme(scheme, headers, { body: bytes, secrets: [SECRET], now: NOW }).valid, true);
        const changed = Uint8Array.from(bytes);
        const index = at % bytes.length;
        changed[index] = (changed[index] ?? 0) ^ (1 << bit);
        assert.equal(verifyScheme(scheme, headers, { body: changed, secrets: [SECRET], now: NOW }).valid, false);
      },
    ),
  );
});

it('an id for telling repetitions, from event, payment and status', () => {
  const expected = createHash('sha256').update('payment.completed\npay_1\ncompleted').digest('hex').slice(0, 16);
  assert.equal(derivedEventId(SCHEMES[1], body), expected);
  assert.equal(derivedEventId(SCHEMES[1], Buffer.from(TEXT.replace('pay_1', 'pay_2'))) === expected, false);
  assert.match(
    derivedEventId(SCHEMES[1], Buffer.from('{"event":"payment.failed","data":{"paymentId":9007199254740993}}')) ?? '',
    /^[\da-f]{16}$/,
  );
  for (const text of ['', '[]', '{"event":1}', 'null'])
    assert.equal(derivedEventId(SCHEMES[1], Buffer.from(text)), null);
});
