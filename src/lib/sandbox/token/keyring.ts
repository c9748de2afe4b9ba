/** Signing keys of access tokens (sandbox.md#determinism). They protect nothing: an ES256 key can be computed from the seed. */
import {
  createECDH,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';

export type JwtAlg = 'ES256' | 'RS256';

export interface SigningKey {
  kid: string;
  alg: JwtAlg;
  privateKey: KeyObject;
  publicKey: KeyObject;
  /** Sandbox time after which it is no longer published; null while it signs. */
  retires: number | null;
}

export interface Keyring {
  /** The key that signs now. */
  current(): SigningKey;
  find(kid: string, now: number): SigningKey | undefined;
  /** RFC 7517 document of every key still published. */
  jwks(now: number): { keys: Record<string, unknown>[] };
  /** A new key signs from now on; the old ones stay published for 24 h (sandbox.md#fault-injection). */
  rotate(now: number): void;
  /** For saved state. */
  save(): SavedKey[];
}

export interface SavedKey {
  kid: string;
  retires: number | null;
  jwk: JsonWebKey;
}

const DAY = 86_400_000;
/** Order of the group of P-256 (SEC 2 §2.4.2). */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export function createKeyring(seed: string, alg: JwtAlg, saved: readonly SavedKey[] = []): Keyring {
  const keys: SigningKey[] = saved.map((key) => restore(key, alg));
  const make = (): SigningKey => {
    const n = keys.length + 1;
    const privateKey = alg === 'ES256' ? p256Key(seed, n) : rsaKey();
    return {
      kid: `sbx-${alg.toLowerCase()}-${n}`,
      alg,
      privateKey,
      publicKey: createPublicKey(privateKey),
      retires: null,
    };
  };
  const current = (): SigningKey => {
    const last = keys.at(-1);
    if (last) return last;
    const first = make();
    keys.push(first);
    return first;
  };
  return {
    current,
    find: (kid, now) => (current(), keys.find((key) => key.kid === kid && (key.retires ?? Infinity) > now)),
    jwks: (now) => (current(), { keys: keys.filter((key) => (key.retires ?? Infinity) > now).map(publish) }),
    rotate(now) {
      current().retires = now + DAY;
      keys.push(make());
    },
    save: () =>
      keys.map(({ kid, retires, privateKey }) => ({ kid, retires, jwk: privateKey.export({ format: 'jwk' }) })),
  };
}

/** Compact JWS (RFC 7515 §3.1). */
export function signJwt(key: SigningKey, claims: Record<string, unknown>): string {
  const head = encode({ alg: key.alg, typ: 'JWT', kid: key.kid });
  const signed = `${head}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** The claims of a token one of our keys signed; null for anything else. Only the sandbox's own algorithm is accepted. */
export function openJwt(ring: Keyring, token: string, now: number): Record<string, unknown> | null {
  const [head, body, signature, ...rest] = token.split('.');
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) return null;
  const header = decode(head);
  const kid = header?.['kid'];
  const key = typeof kid === 'string' ? ring.find(kid, now) : undefined;
  if (key === undefined || header?.['alg'] !== key.alg) return null;
  const genuine = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    { key: key.publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  return genuine ? decode(body) : null;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function p256Key(seed: string, n: number): KeyObject {
  const digest = createHmac('sha256', seed).update(`es256:${n}`).digest('hex');
  const scalar = (BigInt(`0x${digest}`) % (P256_ORDER - 1n)) + 1n;
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(d);
  const point = curve.getPublicKey();
  return createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: d.toString('base64url'),
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    },
  });
}

function rsaKey(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

function restore(saved: SavedKey, alg: JwtAlg): SigningKey {
  const privateKey = createPrivateKey({ format: 'jwk', key: saved.jwk });
  return { kid: saved.kid, alg, privateKey, publicKey: createPublicKey(privateKey), retires: saved.retires };
}

function publish(key: SigningKey): Record<string, unknown> {
  const { kty, crv, x, y, n, e } = key.publicKey.export({ format: 'jwk' });
  const head = { kty, ...(crv === undefined ? {} : { crv }), use: 'sig', alg: key.alg, kid: key.kid };
  return crv === undefined ? { ...head, n, e } : { ...head, x, y };
}
