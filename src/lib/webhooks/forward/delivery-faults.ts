/**
 * Fault injection for deliveries (`webhooks listen --chaos`): duplicates, reorders, delays, or drops the first attempt, as can also happen with the
 * real sender (webhooks.md#delivery). No delivery is lost.
 */
import { createHash } from 'node:crypto';
import type { ListenerFault } from '../../contract/faults.ts';
import { parseDuration, timerMs } from '../../contract/time.ts';
import { type Failure, usage } from '../../failure.ts';

/** Faults given as a share of the deliveries. */
const SHARES = ['duplicate', 'reorder', 'drop'] as const satisfies readonly ListenerFault[];

/** How often each fault is injected, as shares from 0 to 1. */
export interface DeliveryFaultSettings {
  /** Forwarded once more after the app accepted it. */
  duplicate: number;
  /** Held back until the next delivery has been sent. */
  reorder: number;
  /** The first attempt is skipped; the retry is made. */
  drop: number;
  /** Each delivery is delayed by a random time up to this, in milliseconds. */
  delayMs: number;
}

export interface DeliveryFaults {
  duplicate: boolean;
  reorder: boolean;
  drop: boolean;
  delayMs: number;
  /** The faults in a few words; null when there are none. */
  label: string | null;
}

/** `duplicate=5%,reorder=10%,delay=2s,drop=1%`, any of them. @throws Failure `usage` */
export function parseDeliveryFaults(text: string): DeliveryFaultSettings {
  const settings: DeliveryFaultSettings = { duplicate: 0, reorder: 0, drop: 0, delayMs: 0 };
  for (const piece of text.split(',')) {
    const [name = '', value = ''] = piece.split('=').map((part) => part.trim());
    if (name === 'delay') settings.delayMs = duration(value);
    else {
      const fault = SHARES.find((known) => known === name);
      if (fault === undefined) throw wrong(`unknown fault "${name.slice(0, 40)}"`);
      settings[fault] = share(name, value);
    }
  }
  return settings;
}

/** The settings as text: `duplicate 5%, delay up to 2000 ms`. */
export function describeDeliveryFaults(settings: DeliveryFaultSettings): string {
  const shares = SHARES.filter((name) => settings[name] > 0).map(
    (name) => `${name} ${+(settings[name] * 100).toFixed(3)}%`,
  );
  return [...shares, ...(settings.delayMs > 0 ? [`delay up to ${settings.delayMs} ms`] : [])].join(', ');
}

/** Draws the faults for the next delivery. The same seed gives the same faults. */
export function drawDeliveryFaults(settings: DeliveryFaultSettings, random: () => number): DeliveryFaults {
  // Always four draws, so that changing one setting does not change the others' results.
  const duplicate = random() < settings.duplicate;
  const reorder = random() < settings.reorder;
  const drop = random() < settings.drop;
  const delayMs = Math.round(random() * settings.delayMs);
  const words = [
    duplicate && 'duplicated',
    reorder && 'reordered',
    drop && 'dropped',
    delayMs > 0 && `delayed ${delayMs} ms`,
  ];
  return { duplicate, reorder, drop, delayMs, label: words.filter((word) => word !== false).join(', ') || null };
}

/** A reproducible random source: 32 bits at a time of SHA-256 over seed and count. */
export function seededRandom(seed: string): () => number {
  let count = 0;
  return () => {
    count += 1;
    return createHash('sha256').update(`${seed}:${count}`).digest().readUInt32BE(0) / 2 ** 32;
  };
}

/** Milliseconds after which a reordered delivery is sent even if no other followed. */
const LONGEST_HOLD_MS = 1000;

export interface FaultHold<P> {
  /** Sends now or later, depending on the faults. */
  take(delivery: P, faults: DeliveryFaults): void;
  /** Forgets held deliveries, which are still in the inbox. */
  stop(): void;
}

/** Holds delayed and reordered deliveries until they are due. */
export function createFaultHold<P>(send: (delivery: P) => void): FaultHold<P> {
  const held = new Map<P, NodeJS.Timeout>();
  let waiting: P[] = [];
  const release = (delivery: P): void => {
    clearTimeout(held.get(delivery));
    if (held.delete(delivery)) send(delivery);
  };
  const hold = (delivery: P, ms: number): void =>
    void held.set(
      delivery,
      setTimeout(() => release(delivery), timerMs(ms)),
    );
  return {
    take(delivery, faults) {
      const passed = faults.reorder ? [] : waiting;
      if (faults.reorder) {
        waiting.push(delivery);
        hold(delivery, LONGEST_HOLD_MS + faults.delayMs);
      } else if (faults.delayMs > 0) hold(delivery, faults.delayMs);
      else send(delivery);
      if (faults.reorder) return;
      waiting = [];
      for (const earlier of passed) release(earlier);
    },
    stop() {
      for (const timer of held.values()) clearTimeout(timer);
      held.clear();
    },
  };
}

function share(name: string, value: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(value);
  const percent = Number(match?.[1] ?? Number.NaN);
  if (!(percent >= 0 && percent <= 100)) throw wrong(`${name} needs a share such as ${name}=5%`);
  return percent / 100;
}

function duration(value: string): number {
  const ms = parseDuration(value);
  if (ms === null || ms > 60_000) throw wrong('delay needs a time up to 60s, such as delay=2s');
  return ms;
}

function wrong(what: string): Failure {
  return usage(`--chaos: ${what}`, {
    code: 'bad_chaos',
    param: '--chaos',
    next: "give for example --chaos 'duplicate=5%,reorder=10%,delay=2s,drop=1%'",
  });
}
