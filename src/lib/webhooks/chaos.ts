/**
 * Mischief on purpose, between inbox and app: what a handler must bear because the real sender may do it too (webhooks.md#delivery):
 * repetitions, wrong order, delay, and deliveries that only come with the retry. Nothing is lost by it.
 */
import { createHash } from 'node:crypto';
import { parseDuration } from '../contract/time.ts';
import { type Failure, usage } from '../failure.ts';

/** Shares are from 0 to 1. */
export interface ChaosSettings {
  /** Forwarded a second time after the app took it. */
  duplicate: number;
  /** Held until the next one was sent. */
  reorder: number;
  /** The first attempt is not made; the retry is. */
  drop: number;
  /** Each delivery waits a random time up to this, in milliseconds. */
  delayMs: number;
}

export interface Mischief {
  duplicate: boolean;
  reorder: boolean;
  drop: boolean;
  delayMs: number;
  /** What is done to it, in a few words; null when nothing is. */
  label: string | null;
}

/** `duplicate=5%,reorder=10%,delay=2s,drop=1%`, any of them. @throws Failure `usage` */
export function parseChaos(text: string): ChaosSettings {
  const settings: ChaosSettings = { duplicate: 0, reorder: 0, drop: 0, delayMs: 0 };
  for (const piece of text.split(',')) {
    const [name = '', value = ''] = piece.split('=').map((part) => part.trim());
    if (name === 'delay') settings.delayMs = duration(value);
    else if (name === 'duplicate' || name === 'reorder' || name === 'drop') settings[name] = share(name, value);
    else throw wrong(`there is no mischief called "${name.slice(0, 40)}"`);
  }
  return settings;
}

/** `duplicate 5%, delay up to 2000 ms`: what to tell a reader who may have forgotten. */
export function describeChaos(settings: ChaosSettings): string {
  const shares = (['duplicate', 'reorder', 'drop'] as const)
    .filter((name) => settings[name] > 0)
    .map((name) => `${name} ${+(settings[name] * 100).toFixed(3)}%`);
  return [...shares, ...(settings.delayMs > 0 ? [`delay up to ${settings.delayMs} ms`] : [])].join(', ');
}

/** Draws what becomes of the next delivery. The same random source tells the same story. */
export function drawMischief(settings: ChaosSettings, random: () => number): Mischief {
  // Always four draws, so that one setting does not shift what the others do.
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

/** A random source that depends on nothing but the seed: 32 bits at a time of SHA-256 over seed and count. */
export function seededRandom(seed: string): () => number {
  let count = 0;
  return () => {
    count += 1;
    return createHash('sha256').update(`${seed}:${count}`).digest().readUInt32BE(0) / 2 ** 32;
  };
}

/** Milliseconds after which a reordered delivery goes though no other came. */
const LONGEST_HOLD_MS = 1000;

export interface Holding<P> {
  /** Sends now, or holds. */
  take(parcel: P, mischief: Mischief): void;
  /** Sends nothing more. */
  stop(): void;
}

/** Keeps delayed and reordered parcels until their time. */
export function createHolding<P>(send: (parcel: P) => void): Holding<P> {
  const held = new Map<P, NodeJS.Timeout>();
  let waiting: P[] = [];
  const release = (parcel: P): void => {
    clearTimeout(held.get(parcel));
    if (held.delete(parcel)) send(parcel);
  };
  const hold = (parcel: P, ms: number): void =>
    void held.set(
      parcel,
      setTimeout(() => release(parcel), ms),
    );
  return {
    take(parcel, mischief) {
      const passed = mischief.reorder ? [] : waiting;
      if (mischief.reorder) {
        waiting.push(parcel);
        hold(parcel, LONGEST_HOLD_MS + mischief.delayMs);
      } else if (mischief.delayMs > 0) hold(parcel, mischief.delayMs);
      else send(parcel);
      if (mischief.reorder) return;
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
