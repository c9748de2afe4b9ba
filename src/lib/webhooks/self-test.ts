/**
 * A signed delivery to our own public address, through whatever stands between: only when it arrives do name, tunnel, path,
 * secret and clock all fit together, and only then is a listener ready.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import { createForwarder, type Outcome } from './forward.ts';
import { signedMessage } from './send.ts';

export interface SelfTestOptions {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  /** Text nobody can guess. */
  token: () => string;
}

export interface SelfTest {
  /** True for a delivery this test sent; it is then done with. */
  recognise(deliveryId: string | null): boolean;
  /**
   * Posts probes until one arrives. @returns milliseconds the successful one took.
   * @throws Failure `unavailable` (`self_test_failed`) after `timeoutMs`, `interrupted` when the signal is aborted.
   */
  run(url: string, secret: string, timeoutMs: number, signal: AbortSignal): Promise<number>;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;

export function createSelfTest(options: SelfTestOptions): SelfTest {
  const sent = new Set<string>();
  const arrived = new Set<string>();
  return {
    recognise(deliveryId) {
      if (deliveryId === null || !sent.delete(deliveryId)) return false;
      arrived.add(deliveryId);
      return true;
    },
    async run(url, secret, timeoutMs, signal) {
      const forwarder = createForwarder({
        origin: new URL(url).origin,
        concurrency: 1,
        timeoutMs,
        ticks: options.ticks,
      });
      const end = options.ticks() + timeoutMs;
      try {
        for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
          const id = `whd_selftest_${options.token()}`;
          const body = Buffer.from(JSON.stringify({ id, type: 'credicorp_cli.self_test' }));
          const t = Math.floor(options.now() / 1000);
          const message = signedMessage({ body, secrets: [secret], t, deliveryId: id });
          sent.add(id);
          const outcome = await forwarder.attempt(url, message, signal);
          sent.delete(id);
          if (arrived.delete(id) && outcome.kind === 'answered' && outcome.status === 200) return outcome.latencyMs;
          if (signal.aborted) throw new Failure('interrupted', 'stopped before the listener was ready');
          if (options.ticks() + waitMs >= end) throw failed(url, outcome);
          await wait(waitMs, null, { signal }).catch(() => null);
        }
      } finally {
        await forwarder.close();
      }
    },
  };
}

function failed(url: string, outcome: Outcome): Failure {
  const { host } = new URL(url);
  const what =
    outcome.kind === 'answered'
      ? `${host} answered ${outcome.status}`
      : outcome.kind === 'stopped'
        ? 'stopped'
        : `${host}: ${outcome.error.replaceAll('_', ' ')}`;
  return new Failure('unavailable', `a test delivery to the listener's own address did not arrive (${what})`, {
    code: 'self_test_failed',
    next: 'check that the public address leads to the port of this listener',
  });
}
