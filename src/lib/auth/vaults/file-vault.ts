/**
 * Secrets in an encrypted file, for machines without a keychain. The key comes from a passphrase by scrypt (RFC 7914); the file is
 * encrypted as a whole with AES-256-GCM, so that account names are not readable either and any change is detected. Only the passphrase
 * protects it: anybody who has the file and the passphrase has the secrets.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure, usage } from '../../failure.ts';
import { withLock } from '../../files/lock.ts';
import { readPrivate, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import type { Vault } from './vault.ts';

/** Cost parameters of scrypt (RFC 7914 §2). */
type KdfCost = Pick<Kdf, 'N' | 'r' | 'p'>;

interface Kdf {
  N: number;
  r: number;
  p: number;
  /** base64 */
  salt: string;
}

interface Sealed {
  version: 1;
  kdf: Kdf;
  /** base64 */
  iv: string;
  tag: string;
  data: string;
}

/** About 0.2 s and 32 MiB on a small machine (OWASP Password Storage Cheat Sheet: N=2^15, r=8, p=3). */
const COST: KdfCost = { N: 2 ** 15, r: 8, p: 3 };

/**
 * Methods throw Failure `auth` (`wrong_passphrase`) when the passphrase does not open the file, and `usage` (`store_corrupt`,
 * `not_readable`, `not_writable`, `no_passphrase`). `cost` is used for a new file; an existing one contains its own.
 */
export function fileVault(path: string, passphrase: () => Promise<string>, cost: KdfCost = COST): Vault {
  const keys = keyring(passphrase);
  const open = async (): Promise<{ kdf: Kdf; secrets: Map<string, string> }> => {
    const text = readPrivate(path);
    if (text === null) return { kdf: { ...cost, salt: randomBytes(16).toString('base64') }, secrets: new Map() };
    const sealed = parseSealed(path, text);
    return { kdf: sealed.kdf, secrets: unseal(path, sealed, await keys(sealed.kdf)) };
  };
  const change = async <T>(act: (secrets: Map<string, string>) => T): Promise<T> => {
    makePrivateFolder(dirname(path));
    return withLock(`${path}.lock`, { patienceMs: 10_000 }, async () => {
      const { kdf, secrets } = await open();
      const result = act(secrets);
      // The file is deleted with its last secret, so that signing out leaves nothing behind.
      if (secrets.size === 0) rmSync(path, { force: true });
      else writePrivate(path, `${JSON.stringify(seal(kdf, secrets, await keys(kdf)), undefined, 2)}\n`);
      return result;
    });
  };
  return {
    kind: 'file',
    prefetch: () => undefined,
    // Without a file no passphrase is needed, so the user is not asked for one.
    get: async (account) => (readPrivate(path) === null ? null : ((await open()).secrets.get(account) ?? null)),
    set: async (account, secret) => void (await change((secrets) => secrets.set(account, secret))),
    remove: async (account) => readPrivate(path) !== null && (await change((secrets) => secrets.delete(account))),
    async removeUnder(prefix) {
      if (readPrivate(path) === null) return 0;
      return change((secrets) => {
        const under = [...secrets.keys()].filter((account) => account.startsWith(prefix));
        for (const account of under) secrets.delete(account);
        return under.length;
      });
    },
  };
}

/** Asks for the passphrase once and derives each key once. */
function keyring(passphrase: () => Promise<string>): (kdf: Kdf) => Promise<Buffer> {
  let asked: Promise<string> | undefined;
  const derived = new Map<string, Promise<Buffer>>();
  return async (kdf) => {
    asked ??= passphrase();
    const text = await asked;
    if (text === '') {
      throw usage('the passphrase of the encrypted file is empty', {
        code: 'no_passphrase',
        next: 'set CREDICORP_STORE_PASSPHRASE, or type one when asked',
      });
    }
    const name = JSON.stringify(kdf);
    const key = derived.get(name) ?? derive(text, kdf);
    derived.set(name, key);
    return key;
  };
}

function derive(passphrase: string, { N, r, p, salt }: Kdf): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // RFC 7914 §2 needs 128 r (N + p + 2) bytes; Node's own limit of 32 MiB is slightly too small for our parameters.
    const options = { N, r, p, maxmem: 256 * r * (N + p + 2) };
    scrypt(passphrase.normalize('NFKC'), Buffer.from(salt, 'base64'), 32, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function seal(kdf: Kdf, secrets: Map<string, string>, key: Buffer): Sealed {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(sealedWith(kdf));
  const data = Buffer.concat([cipher.update(JSON.stringify([...secrets]), 'utf8'), cipher.final()]);
  return { version: 1, kdf, iv: base64(iv), tag: base64(cipher.getAuthTag()), data: base64(data) };
}

function unseal(path: string, { kdf, iv, tag, data }: Sealed, key: Buffer): Map<string, string> {
  let text: string;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes(iv), { authTagLength: 16 });
    decipher.setAAD(sealedWith(kdf));
    decipher.setAuthTag(bytes(tag));
    text = Buffer.concat([decipher.update(bytes(data)), decipher.final()]).toString('utf8');
  } catch {
    throw new Failure('auth', `the passphrase does not open ${path}, or the file was changed`, {
      code: 'wrong_passphrase',
      next: 'try the passphrase again, or move the file away and sign in again',
    });
  }
  // The content is authenticated, so it is what `seal` wrote.
  return new Map(JSON.parse(text) as [string, string][]);
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64');
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

/** Authenticates the key parameters together with the content. */
function sealedWith({ N, r, p, salt }: Kdf): Buffer {
  return Buffer.from(`credicorp-cli secrets 1 scrypt ${N} ${r} ${p} ${salt}`);
}

function parseSealed(path: string, text: string): Sealed {
  const corrupt = () =>
    usage(`${path} is damaged`, {
      code: 'store_corrupt',
      next: 'move it away and sign in again; it was left as it is',
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw corrupt();
  }
  if (!isSealed(value)) throw corrupt();
  return value;
}

function isSealed(value: unknown): value is Sealed {
  if (typeof value !== 'object' || value === null) return false;
  const { version, kdf, iv, tag, data } = value as Partial<Record<keyof Sealed, unknown>>;
  return version === 1 && isKdf(kdf) && [iv, tag, data].every((text) => typeof text === 'string');
}

/** Validates the key parameters of a file: values that would need too much memory or time are refused. */
function isKdf(value: unknown): value is Kdf {
  if (typeof value !== 'object' || value === null) return false;
  const { N, r, p, salt } = value as Partial<Record<keyof Kdf, unknown>>;
  if (!whole(N) || !whole(r) || !whole(p) || typeof salt !== 'string') return false;
  return Number.isInteger(Math.log2(N)) && N > 1 && N * r <= 2 ** 20 && N * r * p <= 2 ** 23;
}

function whole(number: unknown): number is number {
  return typeof number === 'number' && Number.isInteger(number) && number >= 1;
}
