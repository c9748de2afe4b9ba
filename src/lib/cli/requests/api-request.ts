/** From the words of `credicorp api` to one call: fields, a body from a file or stdin, headers, a merchant. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ClientCall } from '../../api/client.ts';
import type { Provider } from '../../auth/providers/shape.ts';
import { isRecord, parseJson } from '../../contract/json.ts';
import { carriesSecret } from '../../contract/secrets.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';

export interface ApiWords {
  method: string;
  path: string;
  /** `key=value`, the value as text. */
  fields: readonly string[];
  /** `key=value`, the value as JSON where it is some: numbers keep their own digits. */
  typed: readonly string[];
  /** A file, or `-` for stdin. */
  input: string | null;
  /** `Name: value` */
  headers: readonly string[];
  merchant: string | null;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const LARGEST = 32 * 1024 * 1024;

/** @throws Failure `usage`; nothing was sent */
export async function apiCall(context: Context, words: ApiWords, provider: Provider): Promise<ClientCall> {
  const method = words.method.toUpperCase();
  if (!METHODS.includes(method))
    throw usage(`${JSON.stringify(words.method)} is not a method`, { next: `use ${METHODS.join(', ')}` });
  const fields = fieldsOf(words);
  const reads = method === 'GET' || method === 'HEAD';
  if (words.input !== null && reads) throw usage(`a ${method} carries no body`, { param: '--input' });
  if (words.input !== null && fields.length > 0)
    throw usage('--input and fields are two bodies', { param: '--input', next: 'give one of them' });
  const headers = headersOf(words.headers);
  const body = reads || fields.length === 0 ? undefined : nested(fields);
  const named = withMerchant(words, provider, reads, { headers, body });
  return {
    method,
    path: ownPath(words.path),
    headers: named.headers,
    anyBody: true,
    // Nothing is documented about other paths of a second provider: 404 and 405 mean that it does not offer them.
    assumed: !provider.partnerApi,
    ...(reads && fields.length > 0 ? { query: queryOf(fields) } : {}),
    ...(named.body === undefined ? {} : { body: named.body }),
    ...(words.input === null ? {} : { rawBody: await bodyFrom(context, words.input) }),
  };
}

/** A path alone: another host would need another credential. */
function ownPath(path: string): string {
  if (/^[a-z][a-z\d+.-]*:/i.test(path) || path.startsWith('//')) {
    throw usage("only paths on the profile's own host can be called", {
      code: 'bad_path',
      param: 'path',
      next: 'write the path alone, for example /partner/v1/applications; --profile chooses the host',
    });
  }
  return path.startsWith('/') ? path : `/${path}`;
}

type Field = [path: string, value: unknown];

function fieldsOf({ fields, typed }: Pick<ApiWords, 'fields' | 'typed'>): Field[] {
  const split = (pair: string, flag: string): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1)
      throw usage('a field is key=value', { param: flag, next: `write ${flag} name=value; a dot goes deeper` });
    return [pair.slice(0, at), pair.slice(at + 1)];
  };
  return [
    ...fields.map((pair): Field => split(pair, '-f')),
    ...typed.map((pair): Field => {
      const [key, text] = split(pair, '-F');
      return [key, typedValue(text)];
    }),
  ];
}

/** JSON where the text is some, so that 149.90 stays 149.90 and never becomes a binary fraction; else the text. */
function typedValue(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** `a.b=c` goes into an object, a key given again makes a list. */
function nested(fields: readonly Field[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of fields) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let here = root;
    for (const step of steps) here = inside(here, step, path);
    if (last === '' || last === '__proto__') throw badField(path);
    const before = here[last];
    if (before === undefined) here[last] = value;
    else if (Array.isArray(before)) before.push(value);
    else here[last] = [before, value];
  }
  return root;
}

function inside(here: Record<string, unknown>, step: string, path: string): Record<string, unknown> {
  if (step === '' || step === '__proto__') throw badField(path);
  const next = (here[step] ??= {});
  if (!isRecord(next)) throw badField(path);
  return next;
}

function badField(path: string): Error {
  return usage(`the field ${JSON.stringify(path.slice(0, 80))} goes into something that is no object`, { param: '-f' });
}

function queryOf(fields: readonly Field[]): Record<string, string> {
  return Object.fromEntries(
    fields.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

/** Names the program sets itself: a credential comes from the profile, and the frame of the message from the client. */
const OWN =
  /^(?:(?:proxy-)?authorization|cookie|host|content-length|transfer-encoding|connection|expect|upgrade|te|trailer)$/;

function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).trim().toLowerCase();
    const value = line.slice(at + 1).trim();
    if (at < 1 || !/^[!#$%&'*+.^`|~\w-]+$/.test(name) || /[^\t\x20-\x7e]/.test(value))
      throw usage('a header is Name: value in plain characters', { param: '--header' });
    if (OWN.test(name) || carriesSecret(line)) {
      throw usage(`the header ${name} is not taken from the command line`, {
        param: '--header',
        next: 'credentials come from the profile, never from an argument; see credicorp login',
      });
    }
    headers[name] = value;
  }
  return headers;
}

interface Named {
  headers: Record<string, string>;
  body: Record<string, unknown> | undefined;
}

/** The merchant a call is made for: a header or a member of the body, as the provider has it. A write needs one. */
function withMerchant(
  words: ApiWords,
  { title, headers, merchantField }: Provider,
  reads: boolean,
  named: Named,
): Named {
  const { merchant, input } = words;
  if (headers.merchant === null && merchantField === null) {
    if (merchant !== null) throw usage(`${title} knows no merchants`, { param: '--merchant', next: 'leave it out' });
    return named;
  }
  if (headers.merchant !== null) {
    if (merchant !== null) return { ...named, headers: { ...named.headers, [headers.merchant]: oneLine(merchant) } };
    if (reads || named.headers[headers.merchant] !== undefined) return named;
  } else if (merchantField !== null) {
    const given = named.body?.[merchantField] !== undefined || input !== null;
    if (merchant !== null && input !== null)
      throw usage(`with --input, the merchant stands in the body as ${merchantField}`, { param: '--merchant' });
    if (merchant !== null) return { ...named, body: { ...named.body, [merchantField]: oneLine(merchant) } };
    if (reads || given) return named;
  }
  throw usage(`a write of ${title} is made for a merchant, and none is named`, {
    code: 'merchant_missing',
    param: '--merchant',
    next: 'add --merchant merchant_abc123',
  });
}

function oneLine(merchant: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(merchant)) return merchant;
  throw usage('a merchant id is 1 to 255 printable characters without spaces', { param: '--merchant' });
}

/** The bytes as they are. */
async function bodyFrom(context: Context, input: string): Promise<Uint8Array> {
  if (input !== '-') {
    const path = resolve(context.cwd, input);
    const found = await stat(path).catch(() => null);
    if (found === null || !found.isFile()) throw usage(`there is no file ${path}`, { param: '--input' });
    if (found.size > LARGEST) throw tooLarge();
    return readFile(path);
  }
  if (context.stdin.isTTY === true)
    throw usage('stdin is a terminal', { param: '--input', next: 'pipe the body in, or name a file' });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of context.stdin) {
    chunks.push(Buffer.from(chunk));
    size += chunk.length;
    if (size > LARGEST) throw tooLarge();
  }
  return Buffer.concat(chunks);
}

function tooLarge(): Error {
  return usage('the body is larger than 32 MiB', { param: '--input' });
}
