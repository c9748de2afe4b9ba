/** Lines of `webhooks test` on a terminal: one for each check, with an explanation if it failed, and the score. */
import type { CheckResult, HandlerTestScore } from '../../webhooks/handler-tests/handler-tests.ts';
import { cut, type Paint, plainLine, wrapped } from '../output/terminal-text.ts';

/** Before the second column. */
const INDENT = 8;

export function verdictLine(item: unknown, width: number, paint: Paint): string {
  const event = item as CheckResult | HandlerTestScore;
  return event.type === 'check'
    ? checkLine(event, width, paint)
    : (event.failed > 0 ? paint.bad : paint.good)(scoreText(event));
}

function checkLine(check: CheckResult, width: number, paint: Paint): string {
  const colour = check.verdict === 'passed' ? paint.good : check.verdict === 'failed' ? paint.bad : paint.warn;
  const main = plainLine(`${check.group.padEnd(9)} ${check.name}`);
  const line = `${colour(check.verdict.padEnd(7))} ${cut(main, width - INDENT)}`;
  const words = [check.explanation, check.verdict === 'failed' ? check.next : null].filter((text) => text !== null);
  return [line, ...words.flatMap((text) => wrapped(text, INDENT, width).map(paint.dim))].join('\n');
}

export function scoreText(score: HandlerTestScore): string {
  const parts = [
    `${score.passed} passed`,
    `${score.failed} failed`,
    ...(score.skipped > 0 ? [`${score.skipped} skipped`] : []),
    `score ${score.score}`,
    `slowest answer ${Math.round(score.slowest_ms)} ms of 10000`,
  ];
  return parts.join(', ');
}
