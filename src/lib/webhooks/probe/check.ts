/** What a check of the handler battery is, and the kit it plays with. */
import { sampleEvent } from '../../contract/event-samples.ts';
import type { EventEnvelope, EventType } from '../../contract/events.ts';
import { DELIVERY_HEADER, SIGNATURE_HEADER, signatureHeader } from '../../contract/signature.ts';
import type { Forwarder, Outcome } from '../forward.ts';

export type CheckGroup = 'events' | 'bodies' | 'header' | 'forged' | 'age' | 'rotation' | 'repeats' | 'load';

export interface Check {
  name: string;
  group: CheckGroup;
  /** `accepted`: 2xx. `refused`: 4xx. `answered`: anything below 500. For every delivery of the check. */
  wants: 'accepted' | 'refused' | 'answered';
  /** What it means when it fails. */
  why: string;
  /** How to put it right. */
  next: string;
  play: (kit: Kit) => Promise<Outcome[]>;
}

export interface Posted {
  body: Uint8Array;
  /** The signature header; null leaves it out. */
  header: string | null;
  deliveryId?: string;
}

export interface Kit {
  /** The secret the handler knows. */
  secret: string;
  /** A secret it cannot know. */
  stranger: string;
  /** Unix seconds. */
  now(): number;
  /** A fresh event as the real sender writes it. */
  event(type?: EventType, changes?: Partial<EventEnvelope>): EventEnvelope;
  /** Compact JSON, as it travels. */
  bytes(event: object): Buffer;
  /** A genuine header for this body, now. */
  sign(body: Uint8Array, more?: { secrets?: string[]; t?: number }): string;
  post(posted: Posted): Promise<Outcome>;
  /** A fresh event, genuine in every way. */
  postGood(event?: object): Promise<Outcome>;
}

export interface KitOptions {
  target: URL;
  secret: string;
  forwarder: Forwarder;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Text nobody has seen before. */
  token: () => string;
  signal: AbortSignal;
}

export function createKit(options: KitOptions): Kit {
  const { secret, forwarder, target, token, signal } = options;
  const now = (): number => Math.floor(options.now() / 1000);
  const fresh = (prefix: string): string =>
    prefix +
    token()
      .replaceAll(/[^A-Za-z0-9]/g, '')
      .slice(0, 12);
  const kit: Kit = {
    secret,
    stranger: `whsec_${token()}`,
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
      return forwarder.attempt(target.href, { headers, body }, signal);
    },
    postGood(event = kit.event()) {
      const body = kit.bytes(event);
      return kit.post({ body, header: kit.sign(body) });
    },
  };
  return kit;
}
