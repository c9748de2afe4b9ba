/**
 * Fuzzing with fast-check: short in the suite, longer with `npm run fuzz` (FUZZ_RUNS), from a seed that is printed (FUZZ_SEED repeats it).
 * Inputs that ever failed stand in test/fixtures/fuzz-regressions.json under the test's name and are tried first.
 */
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150);
export const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const regressions = JSON.parse(
  readFileSync(new URL('../fixtures/fuzz-regressions.json', import.meta.url), 'utf8'),
) as Record<string, string[]>;

/** Text of all kinds, and texts made of the pieces that the format is made of. */
export function textOf(...pieces: string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(...pieces),
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.string({ maxLength: 8 }),
  );
  return fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(''));
}

/** @param share of the usual number of runs */
export function fuzz(
  name: string,
  texts: fc.Arbitrary<string>,
  check: (text: string) => void | Promise<void>,
  share = 1,
): void {
  test(name, async (context) => {
    context.diagnostic(`seed ${SEED}`);
    const known = (regressions[name] ?? []).map((text): [string] => [text]);
    const numRuns = Math.max(10, Math.round(RUNS * share)) + known.length;
    await fc.assert(
      fc.asyncProperty(texts, async (text) => check(text)),
      { seed: SEED, numRuns, examples: known },
    );
  });
}
