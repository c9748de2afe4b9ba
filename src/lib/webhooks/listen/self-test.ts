/**
 * The self-test: posts a signed delivery to the listener's own public URL. When it arrives, host name, tunnel, path, secret and
 * clock are all right, and the listener is ready.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../../failure.ts';
import { createTargetClient, type AttemptOutcome } from '../forward/target-client.ts';
import { signedMessage } from '../forward/signed-delivery.ts';

export interface SelfTestOptions {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  /** Returns unguessable text. */
  token: () => string;
}

export interface SelfTest {
  /** Whether a received delivery is one this test sent. */
  recognise(deliveryId: string | null): boolean;
  /**
   * Posts test deliveries until one arrives. @returns how long it took, in milliseconds
   * @throws Failure `unavailable` (`self_test_failed`) after `timeoutMs`, `interrupted` when the signal is aborted.
   */
  run(url: string, secret: string, timeoutMs: number, signal: AbortSignal): Promise<number>;
}

/** Delivery ids of self-tests begin with this. */
export const SELF_TEST_ID = 'whd_selftest_';

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
      const client = createTargetClient({
        origin: new URL(url).origin,
        concurrency: 1,
        timeoutMs,
        ticks: options.ticks,
      });
      const end = options.ticks() + timeoutMs;
      try {
        for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
          const id = SELF_TEST_ID + options.token();
          const body = Buffer.from(JSON.stringify({ id, type: 'credicorp_cli.self_test' }));
          const t = Math.floor(options.now() / 1000);
          const message = signedMessage({ body, secrets: [secret], t, deliveryId: id });
          sent.add(id);
          const outcome = await client.post(url, message, signal);
          sent.delete(id);
          if (arrived.delete(id) && outcome.kind === 'answered' && outcome.status === 200) return outcome.latencyMs;
          if (signal.aborted) throw new Failure('interrupted', 'stopped before the listener was ready');
          if (options.ticks() + waitMs >= end) throw failed(url, outcome);
          await wait(waitMs, null, { signal }).catch(() => null);
        }
      } finally {
        await client.close();
      }
    },
  };
}

function failed(url: string, outcome: AttemptOutcome): Failure {
  const { host } = new URL(url);
  const what =
    outcome.kind === 'answered'
      ? `${host} answered ${outcome.status}`
      : outcome.kind === 'stopped'
        ? 'stopped'
        : `${host}: ${outcome.error.replaceAll('_', ' ')}`;
  return new Failure('unavailable', `a test delivery to the listener's own public URL did not arrive (${what})`, {
    code: 'self_test_failed',
    next: 'check that the public address leads to the port of this listener',
  });
}
