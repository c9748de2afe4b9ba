/** Redaction is linear in time: its steps are counted by the engine, so that neither the machine nor its load has a say. `bench/redaction.ts` has the time. */
import assert from 'node:assert/strict';
import { Session, type Profiler } from 'node:inspector';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { redactStart, redactText } from '../../src/lib/contract/secrets.ts';
import { OPENINGS, PIECES, repeated } from '../support/redaction-corpus.ts';

const SHORT = 3000;
/** Blocks of our code that run for each character, at most: far above what any text takes, far below what a second look at the whole would. */
const MOST_PER_CHARACTER = 120;
const session = new Session();

/** How often any block of the redaction's files ran. */
function stepsOf(work: () => void): number {
  session.post('Profiler.takePreciseCoverage');
  work();
  let steps = 0;
  session.post('Profiler.takePreciseCoverage', (_, { result }: Profiler.TakePreciseCoverageReturnType) => {
    for (const { url, functions } of result)
      if (/contract\/(?:secret|escaped)[\w-]*\.ts/.test(url))
        for (const { ranges } of functions) for (const { count } of ranges) steps += count;
  });
  return steps;
}

function assertLinear(opening: string, pieces: readonly string[]): void {
  const text = repeated(opening, pieces, 2 * SHORT);
  const half = stepsOf(() => redactText(text.slice(0, SHORT)));
  const whole = stepsOf(() => redactText(text));
  const what = JSON.stringify([opening, pieces]);
  assert.ok(whole <= MOST_PER_CHARACTER * text.length, `${what}: ${whole} steps for ${text.length} characters`);
  // Twice as long: about twice the steps, and never four times.
  assert.ok(whole <= 2.6 * half + 20_000, `${what}: ${half} steps, then ${whole}`);
}

describe('redaction takes steps in proportion to the text', () => {
  before(() => {
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  });
  after(() => session.disconnect());

  it('counts steps at all', () => {
    assert.ok(stepsOf(() => redactText('token=abc '.repeat(300))) > 3000);
  });

  it('each piece alone, after each opening', () => {
    for (const opening of OPENINGS) for (const piece of PIECES) assertLinear(opening, [piece]);
  });

  it('any pieces together', () => {
    const pieces = fc.array(fc.constantFrom(...PIECES), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(...OPENINGS), pieces, (opening, unit) => assertLinear(opening, unit)),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 150) },
    );
  });

  it('what is cut for showing is cut before it is redacted', () => {
    const text = 'token=abc '.repeat(100_000);
    assert.ok(stepsOf(() => redactStart(text, 500)) < 100_000);
  });
});
