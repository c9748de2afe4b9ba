/** The signature check in words, against every published case. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verify } from '../../src/lib/contract/signature.ts';
import { type CheckedSignature, signatureSteps } from '../../src/lib/inspector/signature-steps.ts';
import { signatureCases } from '../support/vectors.ts';

const AGE = 5;

test('every published case: all steps for a genuine signature, the failed step for any other', () => {
  for (const one of signatureCases) {
    const { name, header, secrets, now } = one;
    const body = Buffer.from(one.body_base64, 'base64');
    const others = {
      otherEnvironmentSecrets: one.other_environment_secrets ?? [],
      otherEndpointSecrets: one.other_endpoint_secrets ?? [],
    };
    const verdict = verify({ header, body, secrets, now, ...others });
    const steps = signatureSteps({
      ...{ header, receivedAt: now * 1000, bytes: body.length, tolerance: 300 },
      verdict: verdict.valid ? 'valid' : 'rejected',
      cause: verdict.valid ? null : verdict.cause,
      also: verdict.valid ? [] : verdict.also,
      warnings: verdict.valid ? verdict.warnings : [],
    });
    const states = steps.slice(0, AGE + 1).map(({ state }) => state);
    const text = steps.map((step) => step.text).join('\n');
    for (const secret of [...secrets, ...others.otherEndpointSecrets])
      if (secret.trim().length > 6) assert.ok(!text.includes(secret.trim()), name);
    assert.doesNotMatch(text, /[0-9a-f]{32}/i, `${name}: no MAC`);
    if (verdict.valid) {
      assert.ok(
        states.every((state) => state === 'good'),
        `${name}: ${states.join()}`,
      );
      assert.equal(steps.length, verdict.warnings.length > 0 ? 7 : 6, name);
      assert.match(text, new RegExp(`signed ${Math.abs(now - Number(verdict.timestamp))} s`), name);
      continue;
    }
    const stop = states.indexOf('bad');
    assert.ok(stop >= 0 && states.slice(0, stop).every((state) => state === 'good'), `${name}: ${states.join()}`);
    const late = verdict.also.length > 0;
    assert.deepEqual(
      states.slice(stop + 1),
      states.slice(stop + 1).map((_, n) => (late && stop + 1 + n === AGE ? 'bad' : 'unseen')),
      name,
    );
    assert.match(steps[stop]?.text ?? '', /: failed, /, name);
  }
});

const checked: CheckedSignature = {
  ...{
    header: 't=1,v1=x',
    receivedAt: 0,
    bytes: 1,
    verdict: 'valid',
    cause: null,
    also: [],
    warnings: [],
    tolerance: 300,
  },
};

test('an unchecked signature is not shown as good; a delivery that could not be stored shows no signature steps', () => {
  assert.deepEqual(
    signatureSteps({ ...checked, verdict: 'unverified' }).map(({ state }) => state),
    ['warn'],
  );
  assert.deepEqual(signatureSteps({ ...checked, verdict: 'rejected', cause: 'inbox_full' }), []);
});
