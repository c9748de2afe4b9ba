/** What a write would send, as a document and as a line for a shell. The credential is a command, never a value. */
import { type Endpoint, type EndpointName, ENDPOINTS } from '../api/endpoints.ts';
import { type Operation, pathOf } from '../api/operate.ts';
import type { Identity } from '../auth/identity.ts';
import { isRecord, parseJson, writeJson } from '../contract/json.ts';
import { redactHeaders } from '../contract/secrets.ts';
import { object, type Result } from './result.ts';

/** A request before its credential is put on it. */
export interface PlannedCall {
  method: string;
  /** Below the base. */
  path: string;
  query?: Operation['query'];
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  rawBody?: string | Uint8Array;
  idempotencyKey?: string;
}

export function plannedRequest(identity: Identity, name: EndpointName, operation: Operation): Result {
  const endpoint: Endpoint = ENDPOINTS[name];
  const { id, signal: _, ...rest } = operation;
  return plannedCall(identity, { ...rest, method: endpoint.method, path: pathOf(endpoint, id) });
}

export function plannedCall(identity: Identity, call: PlannedCall): Result {
  const url = `${identity.base.value}${call.path}${queryOf(call.query ?? {})}`;
  const hasBody = call.body !== undefined || call.rawBody !== undefined;
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (hasBody) headers['Content-Type'] = 'application/json';
  Object.assign(headers, redactHeaders(call.headers ?? {}));
  if (identity.mode === 'headers') {
    for (const name of Object.values(identity.provider.headers)) if (name !== null) headers[name] ??= '[redacted]';
  } else headers['Authorization'] = 'Bearer [redacted]';
  if (carriesKey(identity, call)) headers['Idempotency-Key'] = call.idempotencyKey ?? '(a new UUID)';
  const document = { dry_run: true, method: call.method, url, headers, body: bodyOf(call) };
  return object(document, { id: null, human: `${curl(identity, url, call, hasBody)}\n` });
}

function carriesKey({ provider }: Identity, { method }: PlannedCall): boolean {
  return provider.idempotency && method !== 'GET' && method !== 'HEAD';
}

function queryOf(query: NonNullable<PlannedCall['query']>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
}

/** JSON as JSON, other text as text; bytes that are no text by their number. */
function bodyOf({ body, rawBody }: PlannedCall): unknown {
  if (rawBody === undefined) return body ?? null;
  const text = typeof rawBody === 'string' ? rawBody : Buffer.from(rawBody).toString('utf8');
  try {
    const value = parseJson(text);
    return isRecord(value) || Array.isArray(value) ? value : text;
  } catch {
    return text.includes('\uFFFD') ? `(${rawBody.length} bytes)` : text;
  }
}

/** Ready to paste: mints its own token and, unless a key was given, its own idempotency key. */
function curl(identity: Identity, url: string, call: PlannedCall, hasBody: boolean): string {
  const profile = identity.profile ? ` --profile ${identity.profile.value}` : '';
  const parts = [`curl --fail-with-body -X ${call.method} ${quoted(url)}`];
  if (identity.mode === 'headers') {
    const { clientId, clientSecret } = identity.provider.headers;
    parts.push(
      `-H ${quoted(`${clientId}: ${identity.clientId?.value ?? ''}`)}`,
      `-H "${clientSecret}: $CC_CLIENT_SECRET"`,
    );
  } else parts.push(`-H "Authorization: Bearer $(credicorp token${profile})"`);
  if (carriesKey(identity, call)) {
    const key = call.idempotencyKey === undefined ? '"$(uuidgen)"' : quoted(call.idempotencyKey);
    parts.push(`-H Idempotency-Key:${key}`);
  }
  for (const [name, value] of Object.entries(redactHeaders(call.headers ?? {})))
    parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (hasBody) {
    const { body, rawBody } = call;
    const text = rawBody === undefined ? writeJson(body) : Buffer.from(rawBody).toString('utf8');
    if (!Object.keys(call.headers ?? {}).some((name) => name.toLowerCase() === 'content-type'))
      parts.push("-H 'Content-Type: application/json'");
    parts.push(`--data-raw ${quoted(text)}`);
  }
  return parts.join(' \\\n  ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
