/** Input of the commands that sign and verify: the body, the secrets, the time. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as Flags from '@oclif/core/flags';
import { parseInstant } from '../../contract/time.ts';
import { signedHeaders, type WebhookScheme } from '../../contract/webhook-scheme.ts';
import { Failure, usage } from '../../failure.ts';
import { contextOf, type Context } from '../context.ts';
import { optionalIdentity } from '../optional-identity.ts';
import type { Session } from '../session.ts';
import { storedListenerSecret } from './listener-secret.ts';
import { liveSecrets } from '../../contract/signature.ts';
import { notForAgents } from '../flags.ts';

const LARGEST_BODY = 16 * 1024 * 1024;
const LARGEST_SECRET = 64 * 1024;
const PATIENCE_MS = 30_000;

export const secretFlags = {
  'secret-stdin': notForAgents(Flags.boolean({ summary: 'read the signing secret from stdin' })),
  'secret-file': notForAgents(
    Flags.string({
      helpValue: '<file>',
      summary: 'file with the signing secret; repeat it while a secret is rotated',
      multiple: true,
      multipleNonGreedy: true,
    }),
  ),
};

interface SecretFlags {
  'secret-stdin': boolean;
  'secret-file'?: string[] | undefined;
}

/** Unix seconds. */
export const unixTime = Flags.custom<number>({
  helpValue: '<when>',
  parse: async (text, command) => {
    if (/^\d{1,12}$/.test(text)) return Number(text);
    const at = parseInstant(text, contextOf(command).now());
    if (at !== null) return Math.floor(at / 1000);
    throw usage('not a valid time', {
      next: 'write unix seconds, 2026-06-29T10:00:00Z, or 10m for ten minutes ago',
    });
  },
});

/** Every byte of a file, or of stdin for `-`. @throws Failure `usage` */
export async function readRawBody(context: Context, file: string): Promise<Buffer> {
  if (file === '-') return readStdin(context, LARGEST_BODY, 'body');
  const body = await readFile(resolve(context.cwd, file)).catch((error: unknown) => {
    throw usage(`the body cannot be read: ${file}`, { next: 'name a file, or - for stdin' }, error);
  });
  if (body.length > LARGEST_BODY) throw usage('the body is larger than 16 MiB');
  return body;
}

/**
 * Secrets given on stdin, in files or by CC_WEBHOOK_SECRET, exactly as they stand there but for one line end: a space or quote
 * that does not belong to one is for `verify` to find. @returns an empty list when none was given. @throws Failure `usage`
 */
export async function givenSecrets(context: Context, flags: SecretFlags): Promise<string[]> {
  const files = await Promise.all(
    (flags['secret-file'] ?? []).map((file) =>
      readFile(resolve(context.cwd, file), 'utf8').catch((error: unknown) => {
        throw usage(`the secret cannot be read: ${file}`, { param: '--secret-file' }, error);
      }),
    ),
  );
  const piped = flags['secret-stdin'] ? [(await readStdin(context, LARGEST_SECRET, 'secret')).toString('utf8')] : [];
  const given = [...files, ...piped].map((text) => text.replace(/\r?\n$/, ''));
  if (given.length > 0) return given;
  const variable = context.env['CC_WEBHOOK_SECRET'] || context.env['CREDICORP_WEBHOOK_SECRET'];
  return variable ? [variable] : [];
}

/** The secrets to sign with: those given, else the listener's own, two while it is rotated. @throws Failure `usage` when there is none. */
export async function secretsToSignWith(context: Context, session: Session, flags: SecretFlags): Promise<string[]> {
  const given = await givenSecrets(context, flags);
  for (const secret of given) session.hide(secret);
  if (given.length > 0) return given;
  const own = optionalIdentity(session) === null ? null : await storedListenerSecret(context, session);
  if (own !== null) return liveSecrets(own, context.now());
  throw noSecret();
}

/** A delivery signed by another provider's scheme. */
export function foreignMessage(
  scheme: WebhookScheme,
  delivery: { body: Uint8Array; secrets: readonly string[]; t: number },
): { headers: string[]; body: Uint8Array } {
  const headers = { 'content-type': 'application/json', ...signedHeaders(scheme, delivery) };
  return { headers: Object.entries(headers).flat(), body: delivery.body };
}

export function noSecret() {
  return usage('no webhook secret is stored', {
    code: 'no_webhook_secret',
    next: 'make one: credicorp webhooks secret; or give one with --secret-file, --secret-stdin or CC_WEBHOOK_SECRET',
  });
}

/** @throws Failure `usage` when stdin is a terminal, is too long, or says nothing for 30 s; `interrupted` */
async function readStdin(context: Context, most: number, what: string): Promise<Buffer> {
  if (context.stdin.isTTY === true) throw usage(`stdin is a terminal; pipe the ${what} in`);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const late = setTimeout(() => reject(usage(`no ${what} arrived on stdin within 30 s`)), PATIENCE_MS);
  const stop = (): void => reject(new Failure('interrupted', `stopped while reading the ${what} from stdin`));
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([readAll(context.stdin, most, what), stopped]);
  } finally {
    clearTimeout(late);
    context.signal.removeEventListener('abort', stop);
  }
}

async function readAll(stdin: NodeJS.ReadableStream, most: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > most) throw usage(`the ${what} on stdin is too long`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
