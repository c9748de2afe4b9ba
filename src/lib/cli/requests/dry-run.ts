/** `--dry-run`: what a write would send, as a document and as a curl command. The credential in it is a command, never a value. */
import { notPartnerApi, type Operation, pathOf } from '../../api/client.ts';
import { type Endpoint, type EndpointName, ENDPOINTS } from '../../api/endpoints.ts';
import type { Identity } from '../../auth/credentials/client-identity.ts';
import { isRecord, parseJson, writeJson } from '../../contract/json.ts';
import { redactHeaders, redactText } from '../../contract/secrets.ts';
import { object, type Result } from '../result.ts';

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

/** What `--dry-run --json` prints. */
export interface Planned {
  dry_run: true;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: unknown;
}

export function plannedRequest(identity: Identity, name: EndpointName, operation: Operation): Result {
  return plannedCall(identity, callOf(identity, name, operation));
}

export function plannedDocument(identity: Identity, name: EndpointName, operation: Operation): Planned {
  return documentOf(identity, callOf(identity, name, operation));
}

export function plannedCall(identity: Identity, call: PlannedCall): Result {
  const document = documentOf(identity, call);
  return object(document, { id: null, human: `${curl(identity, document.url, call)}\n` });
}

function callOf({ provider }: Identity, name: EndpointName, operation: Operation): PlannedCall {
  if (!provider.partnerApi) throw notPartnerApi(provider.title);
  const endpoint: Endpoint = ENDPOINTS[name];
  const { id, signal: _, ...rest } = operation;
  return { ...rest, method: endpoint.method, path: pathOf(endpoint, id) };
}

function documentOf(identity: Identity, call: PlannedCall): Planned {
  const url = `${identity.base.value}${call.path}${queryOf(call.query ?? {})}`;
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (hasBody(call)) headers['Content-Type'] = 'application/json';
  Object.assign(headers, redactHeaders(call.headers ?? {}));
  if (identity.mode === 'headers') {
    for (const name of Object.values(identity.provider.headers)) if (name !== null) headers[name] ??= '[redacted]';
  } else headers['Authorization'] = 'Bearer [redacted]';
  if (carriesKey(identity, call) && call.idempotencyKey !== undefined)
    headers['Idempotency-Key'] = redactText(call.idempotencyKey);
  return { dry_run: true, method: call.method, url: redactText(url), headers, body: redacted(bodyOf(call)) };
}

/** A secret pasted into a field is shown redacted: that it would be sent is seen, its value is not. */
function redacted(body: unknown): unknown {
  if (typeof body === 'string') return redactText(body);
  const text = writeJson(body);
  const clean = redactText(text);
  return clean === text ? body : parseJson(clean);
}

function hasBody({ body, rawBody }: PlannedCall): boolean {
  return body !== undefined || rawBody !== undefined;
}

function carriesKey({ provider }: Identity, { method }: PlannedCall): boolean {
  return provider.idempotency && method !== 'GET' && method !== 'HEAD';
}

function queryOf(query: NonNullable<PlannedCall['query']>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
}

/** JSON as JSON, other text as text; of bytes that are not text, how many. */
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

/** A command to paste, which gets its own token. It has the idempotency key in full, so that run twice it still acts once. */
function curl(identity: Identity, url: string, call: PlannedCall): string {
  const profile = identity.profile ? ` --profile ${identity.profile.value}` : '';
  const parts = [
    `curl --fail-with-body -X ${/^[A-Z]+$/.test(call.method) ? call.method : quoted(call.method)} ${quoted(url)}`,
  ];
  if (identity.mode === 'headers') {
    const { clientId, clientSecret } = identity.provider.headers;
    parts.push(
      `-H ${quoted(`${clientId}: ${identity.clientId?.value ?? ''}`)}`,
      `-H "${clientSecret}: $CC_CLIENT_SECRET"`,
    );
  } else parts.push(`-H "Authorization: Bearer $(credicorp token${profile})"`);
  if (carriesKey(identity, call) && call.idempotencyKey !== undefined)
    parts.push(`-H ${quoted(`Idempotency-Key: ${redactText(call.idempotencyKey)}`)}`);
  for (const [name, value] of Object.entries(redactHeaders(call.headers ?? {})))
    parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (hasBody(call)) {
    const { body, rawBody } = call;
    const text = rawBody === undefined ? writeJson(body) : Buffer.from(rawBody).toString('utf8');
    if (!Object.keys(call.headers ?? {}).some((name) => name.toLowerCase() === 'content-type'))
      parts.push("-H 'Content-Type: application/json'");
    parts.push(`--data-raw ${quoted(redactText(text))}`);
  }
  return parts.join(' \\\n  ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
