/** Seeded ids (sandbox page §15): the same seed tells the same ids in the same order. */
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

/** Bare tokens, named for what they open. */
export type BareToken = 'journey' | 'link' | 'jti';

const LENGTHS: Readonly<Record<string, number>> = { req_: 12, req_admin: 12, journey: 24, link: 24, whsec_: 32 };

export interface Identifiers {
  /** The next id of a kind; `taken` says whether one is in use already, the next free number is used then. */
  next(prefix: IdPrefix, taken?: (id: string) => boolean): string;
  /** A token without prefix. */
  bare(kind: BareToken): string;
  /** Page and admin requests count for themselves, so that polling does not shift the ids of the others. */
  adminRequest(): string;
  /** A number in [0, 1) from the seed, for draws of `probability`. */
  draw(): number;
  /** How far each counter has come; for saved state. */
  readonly counters: Map<string, number>;
}

export function createIdentifiers(seed: string, counters = new Map<string, number>()): Identifiers {
  const mac = createMac(seed);
  const digest = (name: string): Buffer => {
    const n = (counters.get(name) ?? 0) + 1;
    counters.set(name, n);
    return mac(`${name}:${n}`);
  };
  const token = (name: string): string => {
    const bytes = digest(name);
    const length = LENGTHS[name] ?? 8;
    for (let i = 0; i < length; i++) bytes[i] = ALPHABET[(bytes[i] ?? 0) % 62] ?? 0;
    // One flat text: built up sign by sign it would stay a chain of parts in memory.
    return bytes.toString('latin1', 0, length);
  };
  return {
    counters,
    next(prefix, taken = () => false) {
      for (;;) {
        const id = prefix + token(prefix);
        if (!taken(id)) return id;
      }
    },
    bare: (kind) => token(kind),
    adminRequest: () => `req_${token('req_admin')}`,
    draw: () => digest('draw').readUInt32BE(0) / 2 ** 32,
  };
}

/**
 * HMAC-SHA256 (RFC 2104 §2) of short texts under one key. Each request draws an id: an `Hmac` object for each would cost more than
 * all the rest of a read, two plain hashes over prepared pads cost little.
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
