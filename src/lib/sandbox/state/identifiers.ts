/** Seeded ids (sandbox.md#determinism): the same seed gives the same ids in the same order. */
import { hash } from 'node:crypto';

const ALPHABET = Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');

export type IdPrefix =
  | 'app_'
  | 'dec_'
  | 'pay_'
  | 'plink_'
  | 'idc_'
  | 'acc_'
  | 'whend_'
  | 'evt_'
  | 'whd_'
  | 'req_'
  | 'flt_'
  | 'whsec_'
  | 'enq_'
  | 'loan_'
  | 'con_';

/** Tokens without a prefix, by what they open. */
export type BareToken = 'journey' | 'link' | 'jti';

const LENGTHS: Readonly<Record<string, number>> = { req_: 12, req_admin: 12, journey: 24, link: 24, whsec_: 32 };

export interface Identifiers {
  /** The next id of a kind; `taken` says whether one is in use already, the next free number is used then. */
  next(prefix: IdPrefix, taken?: (id: string) => boolean): string;
  /** A token without prefix. */
  bare(kind: BareToken): string;
  /** Page and admin requests have a counter of their own, so that polling does not shift the ids of the others. */
  adminRequest(): string;
  /** A number in [0, 1) from the seed, for draws of `probability`. */
  draw(): number;
  /** How far each counter has come; for saved state. */
  readonly counters: Map<string, number>;
}

export function createIdentifiers(seed: string, counters = new Map<string, number>()): Identifiers {
  const mac = createMac(seed);
  const make = (name: string, n: number): string => {
    const bytes = mac(`${name}:${n}`);
    const length = LENGTHS[name] ?? 8;
    for (let i = 0; i < length; i++) bytes[i] = ALPHABET[(bytes[i] ?? 0) % 62] ?? 0;
    // One flat text: built up sign by sign it would stay a chain of parts in memory.
    return bytes.toString('latin1', 0, length);
  };
  const advance = (name: string): number => {
    const n = (counters.get(name) ?? 0) + 1;
    counters.set(name, n);
    return n;
  };
  const requests = createStock((n) => `req_${make('req_', n)}`);
  return {
    counters,
    next(prefix, taken = () => false) {
      if (prefix === 'req_') return requests(advance(prefix));
      for (;;) {
        const id = prefix + make(prefix, advance(prefix));
        if (!taken(id)) return id;
      }
    },
    bare: (kind) => make(kind, advance(kind)),
    adminRequest: () => `req_${make('req_admin', advance('req_admin'))}`,
    draw: () => mac(`draw:${advance('draw')}`).readUInt32BE(0) / 2 ** 32,
  };
}

/** How many request ids are made at once: made one by one, between other work, each costs three times as much. */
const STOCK = 64;

function createStock(make: (n: number) => string): (n: number) => string {
  let first = 0;
  let made: string[] = [];
  return (n) => {
    if (n < first || n >= first + made.length) {
      first = n;
      made = Array.from({ length: STOCK }, (_, i) => make(n + i));
    }
    return made[n - first] ?? make(n);
  };
}

/**
 * HMAC-SHA256 (RFC 2104 §2) of short texts under one key: two plain hashes over prepared pads, which avoids creating an
 * HMAC object for each id.
 */
function createMac(key: string): (text: string) => Buffer {
  const bytes = Buffer.byteLength(key) > BLOCK ? hash('sha256', key, 'buffer') : Buffer.from(key);
  const inner = Buffer.alloc(BLOCK + 64, 0x36);
  const outer = Buffer.alloc(BLOCK + 32, 0x5c);
  for (const [i, byte] of bytes.entries()) {
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  return (text) => {
    const end = BLOCK + inner.write(text, BLOCK, 'latin1');
    hash('sha256', inner.subarray(0, end), 'buffer').copy(outer, BLOCK);
    return hash('sha256', outer, 'buffer');
  };
}

/** Block length of SHA-256 in bytes. */
const BLOCK = 64;
