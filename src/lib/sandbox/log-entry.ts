/** One entry of the request log (sandbox page §12): what is kept of an exchange, and what of that is shown. */
import { redactBody, redactHeaders, redactText } from '../contract/secrets.ts';
import { isoSeconds } from '../contract/time.ts';
import { DROPPED, type Call, type Outgoing } from './exchange.ts';

const BODY_LIMIT = 16_384;

/** Members in documented order. */
export interface LogEntry {
  seq: number;
  at: string;
  request_id: string;
  method: string;
  path: string;
  query: string;
  /** 0 when the connection was dropped on purpose. */
  status: number;
  duration_ms: number;
  project: string | null;
  credential: string | null;
  scope: string | null;
  idempotency_key: string | null;
  replayed: boolean;
  error_code: string | null;
  rate_limit_remaining: number;
  resource_ids: string[];
  notes: string[];
  fault_id: string | null;
  user_agent: string | null;
  request_headers: Record<string, string>;
  request_body: string | null;
  response_headers: Record<string, string>;
  response_body: string | null;
}

/** As it is kept: nothing is formatted or searched for secrets before somebody asks to see it. */
export interface KeptEntry extends Omit<LogEntry, 'at' | 'request_headers' | 'response_headers'> {
  /** Sandbox milliseconds. */
  at: number;
  request_headers: Readonly<Record<string, string>>;
  response_headers: Readonly<Record<string, string>>;
}

export interface EntryFacts {
  seq: number;
  at: number;
  durationMs: number;
}

/** What is kept of an exchange. Credential headers are not in it; bodies that hold a secret by design are redacted here. */
export function describe(call: Call, outgoing: Outgoing, facts: EntryFacts): KeptEntry {
  const { request, credential } = call;
  const answer = outgoing === DROPPED ? null : outgoing;
  return {
    seq: facts.seq,
    at: facts.at,
    request_id: call.requestId,
    method: request.method,
    path: request.path,
    query: request.query,
    status: answer?.status ?? 0,
    duration_ms: facts.durationMs,
    project: credential?.project ?? null,
    credential: credential?.shown ?? null,
    scope: call.scope,
    idempotency_key: call.idempotencyKey,
    replayed: call.replayed,
    error_code: call.errorCode,
    rate_limit_remaining: call.rate?.remaining ?? 0,
    resource_ids: call.resourceIds,
    notes: call.notes,
    fault_id: call.faultId,
    user_agent: request.headers['user-agent'] ?? null,
    request_headers: request.headers,
    request_body: request.body instanceof Uint8Array ? kept(textOf(request.body), call.secretive) : null,
    response_headers: answer?.headers ?? {},
    response_body: answer === null || answer.stream ? null : kept(answer.body, call.secretive),
  };
}

/** The entry as it may be shown. */
export function show(entry: KeptEntry): LogEntry {
  return {
    ...entry,
    at: isoSeconds(entry.at),
    path: redactText(entry.path),
    query: maskQuery(entry.query),
    request_headers: redactHeaders(entry.request_headers),
    request_body: entry.request_body === null ? null : redactBody(entry.request_body, BODY_LIMIT + 100),
    response_headers: redactHeaders(entry.response_headers),
    response_body: entry.response_body === null ? null : redactBody(entry.response_body, BODY_LIMIT + 100),
  };
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}

function kept(body: string, secretive: boolean): string {
  return secretive || body.length > BODY_LIMIT ? redactBody(body, BODY_LIMIT) : body;
}

function maskQuery(query: string): string {
  return redactText(query.replace(/(^|&)(token|[^=&]*secret)=[^&]*/gi, '$1$2=[redacted]'));
}
