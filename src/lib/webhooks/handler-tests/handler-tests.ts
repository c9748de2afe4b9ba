/**
 * Tests a webhook handler (`webhooks test`): posts genuine deliveries, which it must accept, and forged ones, which it must refuse, and
 * explains each failure. Only the handler's HTTP answers are checked, not what it does with a delivery.
 */
import { Failure } from '../../failure.ts';
import {
  type AttemptOutcome,
  createTargetClient,
  type DeliveryMessage,
  type TargetClient,
} from '../forward/target-client.ts';
import { type HandlerCheck, createTestKit } from './handler-check.ts';
import { forgedChecks } from './forged-checks.ts';
import { genuineChecks } from './genuine-checks.ts';

export interface HandlerTestOptions {
  target: URL;
  /** The secret the handler is configured with. */
  secret: string;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  /** Unique text. */
  token: () => string;
  signal: AbortSignal;
  /** Limit for each answer, in milliseconds. Default 10 s, as the sender allows (webhooks.md#delivery). */
  timeoutMs?: number;
  /** Only checks of this kind, after the first, which shows that the handler takes anything at all. Default all. */
  only?: HandlerTestSelection;
  /** Called after each delivery. */
  onAttempt?: (message: DeliveryMessage, outcome: AttemptOutcome) => void;
}

/** `signature`: whatever is about who signed, what, and when. */
const SELECTIONS = {
  signature: ['header', 'forged', 'age', 'rotation'],
  events: ['events'],
  bodies: ['bodies'],
  repeats: ['repeats'],
  load: ['load'],
} as const satisfies Record<string, readonly HandlerCheck['group'][]>;

export type HandlerTestSelection = keyof typeof SELECTIONS;

/** The result of one check; a line of `webhooks test --json`. Members are added, never renamed. */
export interface CheckResult {
  type: 'check';
  at: string;
  number: number;
  of: number;
  name: string;
  group: string;
  /** `skipped`: its result would mean nothing, because of an earlier failure. */
  verdict: 'passed' | 'failed' | 'skipped';
  wants: HandlerCheck['wants'];
  /** The handler's HTTP statuses; null for no answer. */
  statuses: (number | null)[];
  /** Latency of the slowest answer, in milliseconds. */
  latency_ms: number;
  /** What happened and what it means; null when the check passed. */
  explanation: string | null;
  next: string | null;
}

/** The last line of `webhooks test --json`. */
export interface HandlerTestScore {
  type: 'score';
  at: string;
  passed: number;
  failed: number;
  skipped: number;
  /** Passed checks in percent of those passed or failed, rounded down. */
  score: number;
  /** Slowest acknowledgement of a genuine delivery, in milliseconds; the sender waits 10 s. */
  slowest_ms: number;
}

const DEFAULT_LIMIT_MS = 10_000;
/** After this many timeouts the remaining checks are skipped. */
const MAX_TIMEOUTS = 3;

/** All checks except the last, the speed check, which uses their latencies. */
export const CHECKS: readonly HandlerCheck[] = [...genuineChecks, ...forgedChecks];

/** Runs all checks. @throws Failure `unavailable` when nothing listens at the target, `interrupted` when stopped */
export async function* runHandlerTests(options: HandlerTestOptions): AsyncGenerator<CheckResult | HandlerTestScore> {
  const limitMs = options.timeoutMs ?? DEFAULT_LIMIT_MS;
  const { target, ticks, signal } = options;
  const targetClient = createTargetClient({ origin: target.origin, concurrency: 20, timeoutMs: limitMs, ticks });
  const client = reportingAttempts(targetClient, options.onAttempt);
  const kit = createTestKit({ ...options, client });
  const verdicts = createVerdicts(limitMs);
  const at = (): string => new Date(options.now()).toISOString();
  const count = { passed: 0, failed: 0, skipped: 0 };
  const groups: readonly string[] | null = options.only === undefined ? null : SELECTIONS[options.only];
  const checks = CHECKS.filter(({ group }, index) => index === 0 || groups === null || groups.includes(group));
  const isTimed = groups === null || groups.includes('load');
  const of = checks.length + Number(isTimed);
  let slowest = 0;
  try {
    for (const [index, check] of checks.entries()) {
      const skip = verdicts.reasonToSkip(check);
      const outcomes = skip === null ? await check.run(kit) : [];
      if (signal.aborted) throw new Failure('interrupted', 'stopped before all checks were run');
      if (index === 0) assertReachable(outcomes, target);
      const seen = describe(check, outcomes, skip === null ? verdicts.verdictOf(check, outcomes) : skipped(skip));
      count[seen.verdict] += 1;
      if (check.wants === 'accepted') slowest = Math.max(slowest, seen.latency_ms);
      yield { type: 'check', at: at(), number: index + 1, of, ...seen };
    }
    if (isTimed) {
      const last = speedCheck(slowest, limitMs);
      count[last.verdict] += 1;
      yield { type: 'check', at: at(), number: of, of, ...last };
    }
    const score = Math.floor((count.passed * 100) / Math.max(1, count.passed + count.failed));
    yield { type: 'score', at: at(), ...count, score, slowest_ms: slowest };
  } finally {
    await client.close();
  }
}

function reportingAttempts(
  client: TargetClient,
  report: HandlerTestOptions['onAttempt'] = () => undefined,
): TargetClient {
  return {
    ...client,
    async post(target, message, signal) {
      const outcome = await client.post(target, message, signal);
      report(message, outcome);
      return outcome;
    },
  };
}

type CheckFacts = Omit<CheckResult, 'type' | 'at' | 'number' | 'of'>;

function describe(
  { name, group, wants }: HandlerCheck,
  outcomes: readonly AttemptOutcome[],
  result: Verdict,
): CheckFacts {
  const statuses = outcomes.map((outcome) => (outcome.kind === 'answered' ? outcome.status : null));
  const latency_ms = Math.max(0, ...outcomes.map((outcome) => ('latencyMs' in outcome ? outcome.latencyMs : 0)));
  return { name, group, wants, statuses, latency_ms, ...result };
}

function skipped(explanation: string): Verdict {
  return { verdict: 'skipped', explanation, next: null };
}

/** The last check: how fast genuine deliveries were answered. */
function speedCheck(slowest: number, limitMs: number): CheckFacts {
  const late = slowest >= limitMs / 2;
  return {
    name: 'speed of acknowledgement',
    group: 'load',
    wants: 'accepted',
    verdict: late ? 'failed' : 'passed',
    statuses: [],
    latency_ms: slowest,
    explanation: late
      ? `the slowest answer took ${slowest} ms; after ${limitMs} ms the sender gives up and retries`
      : null,
    next: late ? 'store the event, answer 2xx, and do the work afterwards' : null,
  };
}

interface Verdict {
  verdict: CheckResult['verdict'];
  explanation: string | null;
  next: string | null;
}

function createVerdicts(limitMs: number): {
  reasonToSkip(check: HandlerCheck): string | null;
  verdictOf(check: HandlerCheck, outcomes: readonly AttemptOutcome[]): Verdict;
} {
  let accepted = 0;
  let timeouts = 0;
  return {
    reasonToSkip(check) {
      if (timeouts >= MAX_TIMEOUTS) return `the handler did not answer within ${limitMs} ms, ${timeouts} times`;
      if (check.wants === 'refused' && accepted === 0)
        return 'no genuine delivery was accepted, so refusing forged ones proves nothing';
      return null;
    },
    verdictOf(check, outcomes) {
      const bad = outcomes.find((outcome) => !isWanted(check.wants, outcome));
      timeouts += outcomes.filter((outcome) => outcome.kind === 'broken' && outcome.error === 'timeout').length;
      if (check.wants === 'accepted' && bad === undefined) accepted += 1;
      if (bad === undefined) return { verdict: 'passed', explanation: null, next: null };
      return { verdict: 'failed', explanation: `${seen(bad, limitMs)}: ${check.why}`, next: check.next };
    },
  };
}

function isWanted(wants: HandlerCheck['wants'], outcome: AttemptOutcome): boolean {
  if (outcome.kind !== 'answered') return false;
  const { status } = outcome;
  if (wants === 'answered') return status < 500;
  return wants === 'accepted' ? status >= 200 && status < 300 : status >= 400 && status < 500;
}

function seen(outcome: AttemptOutcome, limitMs: number): string {
  if (outcome.kind === 'answered') return `answered ${outcome.status}`;
  if (outcome.kind === 'stopped') return 'stopped';
  return outcome.error === 'timeout'
    ? `no answer in ${limitMs} ms`
    : `no answer (${outcome.error.replaceAll('_', ' ')})`;
}

function assertReachable(outcomes: readonly AttemptOutcome[], target: URL): void {
  const [first] = outcomes;
  if (first?.kind !== 'unconnected') return;
  throw new Failure('unavailable', `cannot connect to ${target.host} (${first.error.replaceAll('_', ' ')})`, {
    code: 'handler_away',
    next: first.hint ?? 'start your app, then run the test again',
  });
}

/** The results as JUnit XML for build servers. @param name of the suite, such as the target */
export function junitReport(name: string, checks: readonly CheckResult[]): string {
  const failed = checks.filter((check) => check.verdict === 'failed').length;
  const skipped = checks.filter((check) => check.verdict === 'skipped').length;
  const seconds = (ms: number): string => (ms / 1000).toFixed(3);
  const total = checks.reduce((sum, check) => sum + check.latency_ms, 0);
  const cases = checks.map((check) => {
    const open = `    <testcase classname="${xml(`webhooks.${check.group}`)}" name="${xml(check.name)}" time="${seconds(check.latency_ms)}"`;
    if (check.verdict === 'passed') return `${open}/>`;
    const message = xml(check.explanation ?? '');
    const inner =
      check.verdict === 'skipped'
        ? `<skipped message="${message}"/>`
        : `<failure message="${message}">${xml(check.next ?? '')}</failure>`;
    return `${open}>${inner}</testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="${xml(name)}" tests="${checks.length}" failures="${failed}" skipped="${skipped}" errors="0" time="${seconds(total)}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** Escapes text for XML; removes characters that XML 1.0 does not allow. */
function xml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
