/** Failures of single items among many: each is told on stderr as it would be alone, and the worst decides how the command ends. */
import { writeJson } from '../../contract/json.ts';
import { Failure, type FailureKind } from '../../failure.ts';
import { colourOf } from '../output/terminal-text.ts';
import type { Context } from '../context.ts';
import { errorDocument, errorLines, STATUS } from '../explain.ts';
import { type View, writeText } from '../output/write.ts';

/** From bad to worse: what is wrong with one item, then what is wrong with all of them. */
const RANK: readonly FailureKind[] = [
  'unmet',
  'pending',
  'not_found',
  'refused',
  'rate_limited',
  'unavailable',
  'auth',
];

export class Troubles {
  #worst: FailureKind | null = null;

  add(kind: FailureKind): void {
    if (this.#worst === null || RANK.indexOf(kind) > RANK.indexOf(this.#worst)) this.#worst = kind;
  }

  /** The exit status of the worst, 0 without any. */
  get status(): number {
    return this.#worst === null ? 0 : STATUS[this.#worst];
  }
}

/** The failure, if it is one that an item can have; what else is thrown ends everything. */
export function failureOfOne(error: unknown): Failure | null {
  return error instanceof Failure && RANK.includes(error.kind) ? error : null;
}

/** Writes a failure to stderr: a JSON document under `--json`, else up to three lines. */
export async function sayFailure(context: Context, view: View, failure: Failure): Promise<void> {
  if (view.json) return writeText(context.stderr, `${writeJson(errorDocument(failure))}\n`);
  const paint = await colourOf(context, context.stderr, view.color);
  return writeText(context.stderr, errorLines(failure, paint));
}
