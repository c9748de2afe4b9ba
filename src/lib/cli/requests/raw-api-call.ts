/** `credicorp api`: from its flags to one call (fields, a body from a file or stdin, headers, a merchant), and from the answer to a result. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Answer } from '../../api/answers.ts';
import type { Client, ClientRequest } from '../../api/client.ts';
import type { Provider } from '../../auth/providers/provider.ts';
import { isRecord, parseJson, writeJson } from '../../contract/json.ts';
import { carriesSecret } from '../../contract/secrets.ts';
import { Failure, usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { nothing, object, type Result, text } from '../result.ts';

export interface ApiInput {
  method: string;
  path: string;
  /** `key=value`, the value as text. */
  fields: readonly string[];
  /** `key=value`, the value as JSON where it is JSON: numbers keep their own digits. */
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
export async function apiCall(context: Context, given: ApiInput, provider: Provider): Promise<ClientRequest> {
  const method = given.method.toUpperCase();
  if (!METHODS.includes(method))
    throw usage(`${JSON.stringify(given.method)} is not an HTTP method`, { next: `use ${METHODS.join(', ')}` });
  const fields = fieldsOf(given);
  const reads = method === 'GET' || method === 'HEAD';
  if (given.input !== null && reads) throw usage(`a ${method} request has no body`, { param: '--input' });
  if (given.input !== null && fields.length > 0)
    throw usage('--input and fields cannot be used together', { param: '--input', next: 'use one of them' });
  const headers = headersOf(given.headers);
  const body = reads || fields.length === 0 ? undefined : nested(fields);
  const named = withMerchant(given, provider, reads, { headers, body });
  return {
    method,
    path: ownPath(given.path),
    headers: named.headers,
    anyBody: true,
    // Nothing is documented about other paths of a second provider: 404 and 405 mean that it does not offer them.
    assumed: !provider.partnerApi,
    ...(reads && fields.length > 0 ? { query: queryOf(fields) } : {}),
    ...(named.body === undefined ? {} : { body: named.body }),
    ...(given.input === null ? {} : { rawBody: await bodyFrom(context, given.input) }),
  };
}

/** The path, checked to name no host: another host would need another credential. */
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

function fieldsOf({ fields, typed }: Pick<ApiInput, 'fields' | 'typed'>): Field[] {
  const split = (pair: string, flag: string): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1)
      throw usage('a field must be key=value', {
        param: flag,
        next: `write ${flag} name=value; a dot in the name nests: ${flag} business.company_number=16093826`,
      });
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

/** JSON where the text is JSON, so that 149.90 stays 149.90 and never becomes a binary fraction; else the text. */
function typedValue(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** Fields as an object: `a.b=c` nests, a key given again makes a list. */
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
  return usage(`the field ${JSON.stringify(path.slice(0, 80))} goes into something that is not an object`, {
    param: '-f',
  });
}

function queryOf(fields: readonly Field[]): Record<string, string> {
  return Object.fromEntries(
    fields.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

/** Headers that the program sets itself: a credential comes from the profile, the framing of the message from the client. */
const PROGRAM_HEADERS =
  /^(?:(?:proxy-)?authorization|cookie|host|content-length|transfer-encoding|connection|expect|upgrade|te|trailer)$/;

function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).trim().toLowerCase();
    const value = line.slice(at + 1).trim();
    if (at < 1 || !/^[!#$%&'*+.^`|~\w-]+$/.test(name) || /[^\t\x20-\x7e]/.test(value))
      throw usage('a header must be Name: value in printable ASCII', { param: '--header' });
    if (PROGRAM_HEADERS.test(name) || carriesSecret(line)) {
      throw usage(`the header ${name} cannot be set on the command line`, {
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

/** Adds the merchant that the call is made for, as a header or a member of the body, depending on the provider. A write needs one. */
function withMerchant(
  given: ApiInput,
  { title, headers, merchantField }: Provider,
  reads: boolean,
  named: Named,
): Named {
  const { merchant, input } = given;
  if (headers.merchant === null && merchantField === null) {
    if (merchant !== null) throw usage(`${title} has no merchants`, { param: '--merchant', next: 'leave it out' });
    return named;
  }
  if (headers.merchant !== null) {
    if (merchant !== null) return { ...named, headers: { ...named.headers, [headers.merchant]: oneLine(merchant) } };
    if (reads || named.headers[headers.merchant] !== undefined) return named;
  } else if (merchantField !== null) {
    const given = named.body?.[merchantField] !== undefined || input !== null;
    if (merchant !== null && input !== null)
      throw usage(`with --input, put the merchant into the body as ${merchantField}`, { param: '--merchant' });
    if (merchant !== null) return { ...named, body: { ...named.body, [merchantField]: oneLine(merchant) } };
    if (reads || given) return named;
  }
  throw usage(`a write to ${title} needs a merchant`, {
    code: 'merchant_missing',
    param: '--merchant',
    next: 'add --merchant merchant_abc123',
  });
}

function oneLine(merchant: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(merchant)) return merchant;
  throw usage('a merchant id is 1 to 255 printable characters without spaces', { param: '--merchant' });
}

/** The bytes of a file or of stdin, unchanged. */
async function bodyFrom(context: Context, input: string): Promise<Uint8Array> {
  if (input !== '-') {
    const path = resolve(context.cwd, input);
    const found = await stat(path).catch(() => null);
    if (found === null || !found.isFile()) throw usage(`no such file: ${path}`, { param: '--input' });
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

/** The answer as a result. @param include status line and headers come first */
export function apiResult(answer: Answer<unknown>, include: boolean): Result {
  const { status, headers, json } = answer;
  if (include) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
    const body = typeof json === 'string' ? json : json === null ? '' : writeJson(json, 2);
    return text(`HTTP ${status}\n${lines.join('')}\n${body}`, { status, headers, body: json });
  }
  if (answer.text === '') return nothing;
  if (typeof json === 'string') return text(json.replace(/\n$/, ''), json);
  return object(json);
}

/** One call. Where a second provider does not offer the path, the error says where to look. */
export async function callOnce(
  client: Client,
  call: ClientRequest,
  { name, title }: Provider,
): Promise<Answer<unknown>> {
  try {
    return await client.request(call);
  } catch (error) {
    if (error instanceof Failure && error.facts.code === 'not_offered' && name !== 'credicorp')
      error.facts.next = `check the path in the documentation of ${title}, and the base: credicorp whoami`;
    throw error;
  }
}

/** A longer list is taken for a server that never ends. */
const MAX_PAGES = 10_000;

/**
 * The items of every page of a list whose shape is not known, by `next_cursor` (partner-api.md#pagination).
 * @throws Failure `usage` when the answer is not a page; any failure carries the cursor it can be resumed from.
 */
export async function* everyItem(client: Client, call: ClientRequest): AsyncGenerator<unknown> {
  let cursor: string | null = null;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const answer: Answer<unknown> = await pageFrom(client, call, cursor);
    const { json } = answer;
    if (Array.isArray(json)) return void (yield* json);
    if (!isRecord(json) || !Array.isArray(json['data'])) {
      throw usage('the answer is not a page of a list', { param: '--paginate', next: 'leave out --paginate' });
    }
    yield* json['data'];
    const next = json['next_cursor'];
    if (json['has_more'] === false || typeof next !== 'string' || next === '') return;
    if (next === cursor) throw endless(cursor, 'the list returned the same cursor twice');
    cursor = next;
  }
  throw endless(cursor, `the list has more than ${MAX_PAGES} pages`);
}

async function pageFrom(client: Client, call: ClientRequest, cursor: string | null): Promise<Answer<unknown>> {
  try {
    return await client.request(cursor === null ? call : { ...call, query: { ...call.query, cursor } });
  } catch (error) {
    if (error instanceof Failure && cursor !== null) error.facts.cursor = cursor;
    throw error;
  }
}

function endless(cursor: string | null, message: string): Failure {
  return new Failure('unavailable', message, { code: 'endless_list', ...(cursor === null ? {} : { cursor }) });
}
