/** One check of the handler tests, and the kit it makes, signs and posts deliveries with. */
import { sampleEvent } from '../../contract/event-samples.ts';
import type { EventEnvelope, EventType } from '../../contract/events.ts';
import { DELIVERY_HEADER, SIGNATURE_HEADER, signatureHeader } from '../../contract/signature.ts';
import type { TargetClient, AttemptOutcome } from '../forward/target-client.ts';

export type HandlerCheckGroup = 'events' | 'bodies' | 'header' | 'forged' | 'age' | 'rotation' | 'repeats' | 'load';

export interface HandlerCheck {
  name: string;
  group: HandlerCheckGroup;
  /** `accepted`: 2xx. `refused`: 4xx. `answered`: anything below 500. For every delivery of the check. */
  wants: 'accepted' | 'refused' | 'answered';
  /** What a failure means. */
  why: string;
  /** How to fix it. */
  next: string;
  run: (kit: TestKit) => Promise<AttemptOutcome[]>;
}

export interface SignedPost {
  body: Uint8Array;
  /** The signature header; null leaves it out. */
  header: string | null;
  deliveryId?: string;
}

export interface TestKit {
  /** The secret the handler knows. */
  secret: string;
  /** A secret the handler does not know. */
  otherSecret: string;
  /** Unix seconds. */
  now(): number;
  /** A new sample event. */
  event(type?: EventType, changes?: Partial<EventEnvelope>): EventEnvelope;
  /** An event as compact JSON. */
  bytes(event: object): Buffer;
  /** A valid signature header for this body, signed now unless `t` is given. */
  sign(body: Uint8Array, more?: { secrets?: string[]; t?: number }): string;
  post(posted: SignedPost): Promise<AttemptOutcome>;
  /** Posts a valid delivery, by default of a new event. */
  postGenuine(event?: object): Promise<AttemptOutcome>;
}

export interface TestKitOptions {
  target: URL;
  secret: string;
  client: TargetClient;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Unique text. */
  token: () => string;
  signal: AbortSignal;
}

export function createTestKit(options: TestKitOptions): TestKit {
  const { secret, client, target, token, signal } = options;
  const now = (): number => Math.floor(options.now() / 1000);
  const fresh = (prefix: string): string =>
    prefix +
    token()
      .replaceAll(/[^A-Za-z0-9]/g, '')
      .slice(0, 12);
  const kit: TestKit = {
    secret,
    otherSecret: `whsec_${token()}`,
    now,
    event(type = 'application.updated', changes = {}) {
      const created = new Date(options.now()).toISOString().replace(/\.\d+Z/, 'Z');
      return { ...sampleEvent(type, { id: fresh('evt_'), created }, fresh), ...changes };
    },
    bytes: (event) => Buffer.from(JSON.stringify(event)),
    sign: (body, more = {}) => signatureHeader({ secrets: more.secrets ?? [secret], t: more.t ?? now(), body }),
    post({ body, header, deliveryId }) {
      const headers = ['Content-Type', 'application/json', DELIVERY_HEADER, deliveryId ?? fresh('whd_')];
      if (header !== null) headers.push(SIGNATURE_HEADER, header);
      return client.post(target.href, { headers, body }, signal);
    },
    postGenuine(event = kit.event()) {
      const body = kit.bytes(event);
      return kit.post({ body, header: kit.sign(body) });
    },
  };
  return kit;
}
