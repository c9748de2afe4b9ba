import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Failure } from '../../src/lib/failure.ts';
import { SIGNATURE_ADVICE } from '../../src/lib/contract/signature-advice.ts';
import { macOf, signatureHeader, verify } from '../../src/lib/contract/signature.ts';
import { signatureCases, signatureTolerance } from '../support/vectors.ts';

describe('every published vector', () => {
  for (const vector of signatureCases) {
    test(vector.name, () => {
      const verdict = verify({
        header: vector.header,
        body: Buffer.from(vector.body_base64, 'base64'),
        secrets: vector.secrets,
        now: vector.now,
        tolerance: signatureTolerance,
        otherEnvironmentSecrets: vector.other_environment_secrets ?? [],
        otherEndpointSecrets: vector.other_endpoint_secrets ?? [],
      });
      assert.equal(verdict.valid ? 'valid' : verdict.cause, vector.expected);
      if (verdict.valid) {
        assert.deepEqual(verdict.warnings, vector.warnings ?? []);
        assert.equal(verdict.timestamp, vector.timestamp);
      } else {
        assert.deepEqual(verdict.also, vector.also ?? []);
        assert.equal(verdict.skewSeconds, vector.skew_seconds);
      }
    });
  }

  test('a cause that no vector names has advice all the same', () => {
    for (const { expected } of signatureCases.filter((vector) => vector.expected !== 'valid')) {
      const advice = new Map(Object.entries(SIGNATURE_ADVICE)).get(expected);
      assert.ok(advice !== undefined && advice.meaning !== '' && advice.next !== '', expected);
    }
  });
});

const now = 1_751_619_925;
const body = Buffer.from('{"id":"evt_1","amount":1.0,"note":"£5/é","list":[],"more":{"b":1,"a":2}}');

function explain(signed: string | Buffer, secret = 'whsec_a', t = now): { cause: string; detail: string | null } {
  const header = `t=${t},v1=${macOf(secret, t, Buffer.from(signed))}`;
  const verdict = verify({ header, body, secrets: ['whsec_a'], now });
  assert.equal(verdict.valid, false);
  return verdict.valid ? { cause: 'valid', detail: null } : verdict;
}

test('the check value of webhooks.md#causes-of-a-refused-signature', () => {
  const vector = signatureCases.find((one) => one.name === 'documented_body_new_secret');
  const bytes = Buffer.from(vector?.body_base64 ?? '', 'base64');
  assert.equal(bytes.length, 257);
  assert.equal(
    macOf('whsec_sandbox_new', 1_751_619_922, bytes),
    '4bc2d127855683e15f9e42e5e4335da05dfb78b929c727f41e61855462cc144d',
  );
});

test('the key is the whole secret and the message t.body, whatever the bytes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(
        fc.string({ minLength: 1 }).filter((text) => text.trim() !== ''),
        { minLength: 1, maxLength: 3 },
      ),
      fc.nat(999_999_999_999),
      (bytes, secrets, t) => {
        const header = signatureHeader({ secrets, t, body: bytes });
        for (const secret of secrets) {
          assert.equal(verify({ header, body: bytes, secrets: [secret], now: t }).valid, true);
        }
        const changed = Buffer.concat([bytes, Buffer.from([0])]);
        assert.equal(verify({ header, body: changed, secrets, now: t }).valid, false);
      },
    ),
    { numRuns: 200 },
  );
});

test('any header text gives a verdict and never a throw', () => {
  const pieces = fc.constantFrom('t=1', 't=', 'v1=', `v1=${'a'.repeat(64)}`, ',', ' ', '=', 't', '\u0000', 'é');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((list) => list.join(',')),
      ),
      (header) => {
        assert.equal(verify({ header, body, secrets: ['whsec_a'], now }).valid, false);
      },
    ),
    { numRuns: 300 },
  );
});

test('spellings are found on the text as it stands: number texts, order, and each escape', () => {
  const text = body.toString();
  assert.match(explain(text.replaceAll(/([:,])/g, '$1 ')).detail ?? '', /Python/);
  assert.match(
    explain('{"id":"evt_1","amount":1.0,"note":"\\u00a35\\/\\u00e9","list":[],"more":{"b":1,"a":2}}').detail ?? '',
    /PHP/,
  );
  assert.match(
    explain('{"amount":1.0,"id":"evt_1","list":[],"more":{"a":2,"b":1},"note":"£5/é"}').detail ?? '',
    /sorted/,
  );
  const indented =
    '{\n    "id": "evt_1",\n    "amount": 1.0,\n    "note": "£5/é",\n    "list": [],\n    "more": {\n        "b": 1,\n        "a": 2\n    }\n}';
  assert.deepEqual(
    [explain(indented).cause, explain(indented).detail],
    ['body_reserialised', 'signed as JSON indented by 4'],
  );
});

test('explanations change one thing at a time, never two', () => {
  assert.equal(explain(`${body.toString()}\n`).cause, 'body_newline_changed');
  assert.equal(explain(`${body.toString()}\n`, 'whsec_a\n').cause, 'wrong_secret');
});

test('a deeply nested body is refused without an explanation and without harm', () => {
  const deep = Buffer.from('['.repeat(200_000) + ']'.repeat(200_000));
  const header = `t=${now},v1=${'0'.repeat(64)}`;
  const verdict = verify({ header, body: deep, secrets: ['whsec_a'], now });
  assert.equal(verdict.valid ? null : verdict.cause, 'wrong_secret');
});

test('milliseconds are named', () => {
  const verdict = verify({ header: `t=1719660000000,v1=${'0'.repeat(64)}`, body, secrets: ['whsec_a'], now });
  assert.match(verdict.valid ? '' : (verdict.detail ?? ''), /milliseconds/);
});

test('no secret, or a blank one, is a usage failure and never a pass', () => {
  const blank = `t=${now},v1=${macOf('\n', now, body)}`;
  for (const secrets of [[], [''], ['\n']]) {
    assert.throws(
      () => verify({ header: blank, body, secrets, now }),
      (error) => error instanceof Failure && error.kind === 'usage',
    );
  }
});

test('several live secrets: the one that matched is named by its place', () => {
  const header = signatureHeader({ secrets: ['whsec_b'], t: now, body });
  const verdict = verify({ header, body, secrets: ['', 'whsec_a', 'whsec_b'], now });
  assert.equal(verdict.valid && verdict.secretIndex, 2);
});
