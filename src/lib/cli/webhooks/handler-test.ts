/** The handler battery on a terminal: a line for each check, its explanation below where it failed, the score at the end. */
import type { CheckResult, HandlerTestScore } from '../../webhooks/handler-tests/handler-tests.ts';
import { cut, type Paint, plainLine } from '../output/terminal-text.ts';
import { wrapped } from './moment-line.ts';

/** Before the second column. */
const INDENT = 8;

export function verdictLine(item: unknown, width: number, paint: Paint): string {
  const moment = item as CheckResult | HandlerTestScore;
  return moment.type === 'check'
    ? checkLine(moment, width, paint)
    : (moment.failed > 0 ? paint.bad : paint.good)(scoreText(moment));
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
