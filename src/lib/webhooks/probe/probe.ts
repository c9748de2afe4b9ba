/**
 * The handler battery: deliveries a handler must take and deliveries it must refuse, each with a verdict and, where it fails,
 * with what that means and how to put it right. Says nothing about what a handler does inside: only answers are judged.
 */
import { Failure } from '../../failure.ts';
import { createForwarder, type Forwarder, type Message, type Outcome } from '../forward.ts';
import { type Check, createKit } from './check.ts';
import { forgedChecks } from './forged-checks.ts';
import { genuineChecks } from './genuine-checks.ts';

export interface ProbeOptions {
  target: URL;
  /** The secret the handler is configured with. */
  secret: string;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  /** Text nobody has seen before. */
  token: () => string;
  signal: AbortSignal;
  /** What the sender allows for an answer, in milliseconds. Default 10 s (webhooks.md#delivery). */
  timeoutMs?: number;
  /** Told of each delivery once it has ended. */
  onAttempt?: (message: Message, outcome: Outcome) => void;
}

/** What one check came to; a line of `webhooks test --json`. Members are added, never renamed. */
export interface CheckMoment {
  type: 'check';
  at: string;
  number: number;
  of: number;
  name: string;
  group: string;
  /** `skipped`: it could prove nothing, because of an earlier failure. */
  verdict: 'passed' | 'failed' | 'skipped';
  wants: Check['wants'];
  /** What the handler answered; null where no answer came. */
  statuses: (number | null)[];
  /** Of the slowest answer, in milliseconds. */
  latency_ms: number;
  /** What was seen and what it means; null when the check passed. */
  explanation: string | null;
  next: string | null;
}

/** The end of the battery. */
export interface ScoreMoment {
  type: 'score';
  at: string;
  passed: number;
  failed: number;
  skipped: number;
  /** Percent of the checks that passed or failed which passed, rounded down. */
  score: number;
  /** Slowest acknowledgement of a genuine delivery, in milliseconds; the sender waits 10 s. */
  slowest_ms: number;
}

const DEFAULT_LIMIT_MS = 10_000;
/** A handler that hangs is not asked another sixty times. */
const MAX_TIMEOUTS = 3;

/** The battery; one more, about speed, follows from all of them. */
export const CHECKS: readonly Check[] = [...genuineChecks, ...forgedChecks];

/** Plays the battery. @throws Failure `unavailable` when nothing listens at the target, `interrupted` when stopped. */
export async function* probe(options: ProbeOptions): AsyncGenerator<CheckMoment | ScoreMoment> {
  const limitMs = options.timeoutMs ?? DEFAULT_LIMIT_MS;
  const { target, ticks, signal } = options;
  const plain = createForwarder({ origin: target.origin, concurrency: 20, timeoutMs: limitMs, ticks });
  const forwarder = told(plain, options.onAttempt);
  const kit = createKit({ ...options, forwarder });
  const judge = createJudge(limitMs);
  const at = (): string => new Date(options.now()).toISOString();
  const count = { passed: 0, failed: 0, skipped: 0 };
  const of = CHECKS.length + 1;
  let slowest = 0;
  try {
    for (const [index, check] of CHECKS.entries()) {
      const skip = judge.reasonToSkip(check);
      const outcomes = skip === null ? await check.play(kit) : [];
      if (signal.aborted) throw new Failure('interrupted', 'stopped before the battery was done');
      if (index === 0) expectListener(outcomes, target);
      const seen = describe(check, outcomes, skip === null ? judge.look(check, outcomes) : skipped(skip));
      count[seen.verdict] += 1;
      if (check.wants === 'accepted') slowest = Math.max(slowest, seen.latency_ms);
      yield { type: 'check', at: at(), number: index + 1, of, ...seen };
    }
    const last = paceOf(slowest, limitMs);
    count[last.verdict] += 1;
    yield { type: 'check', at: at(), number: of, of, ...last };
    const score = Math.floor((count.passed * 100) / Math.max(1, count.passed + count.failed));
    yield { type: 'score', at: at(), ...count, score, slowest_ms: slowest };
  } finally {
    await forwarder.close();
  }
}

function told(forwarder: Forwarder, tell: ProbeOptions['onAttempt'] = () => undefined): Forwarder {
  return {
    ...forwarder,
    async attempt(target, message, signal) {
      const outcome = await forwarder.attempt(target, message, signal);
      tell(message, outcome);
      return outcome;
    },
  };
}

type Told = Omit<CheckMoment, 'type' | 'at' | 'number' | 'of'>;

function describe({ name, group, wants }: Check, outcomes: readonly Outcome[], result: Result): Told {
  const statuses = outcomes.map((outcome) => (outcome.kind === 'answered' ? outcome.status : null));
  const latency_ms = Math.max(0, ...outcomes.map((outcome) => ('latencyMs' in outcome ? outcome.latencyMs : 0)));
  return { name, group, wants, statuses, latency_ms, ...result };
}

function skipped(explanation: string): Result {
  return { verdict: 'skipped', explanation, next: null };
}

/** The last check: how fast genuine deliveries were acknowledged. */
function paceOf(slowest: number, limitMs: number): Told {
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

interface Result {
  verdict: CheckMoment['verdict'];
  explanation: string | null;
  next: string | null;
}

function createJudge(limitMs: number): {
  reasonToSkip(check: Check): string | null;
  look(check: Check, outcomes: readonly Outcome[]): Result;
} {
  let accepted = 0;
  let timeouts = 0;
  return {
    reasonToSkip(check) {
      if (timeouts >= MAX_TIMEOUTS) return `the handler did not answer ${timeouts} times in ${limitMs} ms`;
      // A handler that refuses everything refuses forgeries too, and that is no merit.
      if (check.wants === 'refused' && accepted === 0)
        return 'nothing is accepted, so that this is refused proves nothing';
      return null;
    },
    look(check, outcomes) {
      const bad = outcomes.find((outcome) => !isWanted(check.wants, outcome));
      timeouts += outcomes.filter((outcome) => outcome.kind === 'broken' && outcome.error === 'timeout').length;
      if (check.wants === 'accepted' && bad === undefined) accepted += 1;
      if (bad === undefined) return { verdict: 'passed', explanation: null, next: null };
      return { verdict: 'failed', explanation: `${seen(bad, limitMs)}: ${check.why}`, next: check.next };
    },
  };
}

function isWanted(wants: Check['wants'], outcome: Outcome): boolean {
  if (outcome.kind !== 'answered') return false;
  const { status } = outcome;
  if (wants === 'answered') return status < 500;
  return wants === 'accepted' ? status >= 200 && status < 300 : status >= 400 && status < 500;
}

function seen(outcome: Outcome, limitMs: number): string {
  if (outcome.kind === 'answered') return `answered ${outcome.status}`;
  if (outcome.kind === 'stopped') return 'stopped';
  return outcome.error === 'timeout'
    ? `no answer in ${limitMs} ms`
    : `no answer (${outcome.error.replaceAll('_', ' ')})`;
}

function expectListener(outcomes: readonly Outcome[], target: URL): void {
  const [first] = outcomes;
  if (first?.kind !== 'unconnected') return;
  throw new Failure('unavailable', `nothing answers at ${target.host} (${first.error.replaceAll('_', ' ')})`, {
    code: 'handler_away',
    next: first.hint ?? 'start your app, then run the battery again',
  });
}
