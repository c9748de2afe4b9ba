/** One entry of the request log (sandbox.md#request-log-and-stream): what is kept of an exchange, and what of that is shown. */
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

export interface ExchangeFacts {
  seq: number;
  /** Sandbox milliseconds. */
  at: number;
  durationMs: number;
}

/** An exchange as it is kept: nothing is formatted or searched for secrets before somebody asks to see it. */
export class LoggedExchange {
  readonly kind = 'request';
  readonly id: number;
  readonly call: Call;
  readonly status: number;
  readonly durationMs: number;
  readonly requestBody: string | null;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseBody: string | null;
  readonly #at: number;

  constructor(call: Call, outgoing: Outgoing, { seq, at, durationMs }: ExchangeFacts) {
    const answer = outgoing === DROPPED ? null : outgoing;
    const { body } = call.request;
    this.id = seq;
    this.call = call;
    this.status = answer?.status ?? 0;
    this.durationMs = durationMs;
    this.requestBody = body instanceof Uint8Array ? kept(textOf(body), call.secretive) : null;
    this.responseHeaders = answer?.headers ?? {};
    this.responseBody = answer === null || answer.stream ? null : kept(answer.body, call.secretive);
    this.#at = at;
    // A small body can hold on to the 64 KiB the socket read it into.
    call.request.body = null;
    call.body = undefined;
  }

  /** Its place in the list. */
  get n(): number {
    return this.id;
  }

  text(): string {
    return JSON.stringify(this.show());
  }

  /** The entry as it may be shown. */
  show(): LogEntry {
    const { request, credential } = this.call;
    return {
      seq: this.id,
      at: isoSeconds(this.#at),
      request_id: this.call.requestId,
      method: request.method,
      path: redactText(request.path),
      query: maskQuery(request.query),
      status: this.status,
      duration_ms: this.durationMs,
      project: credential?.project ?? null,
      credential: credential?.shown ?? null,
      scope: this.call.scope,
      idempotency_key: redacted(this.call.idempotencyKey),
      replayed: this.call.replayed,
      error_code: this.call.errorCode,
      rate_limit_remaining: this.call.rate?.remaining ?? 0,
      resource_ids: this.call.resourceIds.map((id) => redactText(id)),
      notes: this.call.notes.map((note) => redactText(note)),
      fault_id: this.call.faultId,
      user_agent: redacted(request.headers['user-agent'] ?? null),
      request_headers: redactHeaders(request.headers),
      request_body: this.requestBody === null ? null : redactBody(this.requestBody, BODY_LIMIT + 100),
      response_headers: redactHeaders(this.responseHeaders),
      response_body: this.responseBody === null ? null : redactBody(this.responseBody, BODY_LIMIT + 100),
    };
  }
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}

/** Bodies that hold a secret by design are redacted before they are kept. */
function kept(body: string, secretive: boolean): string {
  return secretive || body.length > BODY_LIMIT ? redactBody(body, BODY_LIMIT) : body;
}

function redacted(text: string | null): string | null {
  return text === null ? null : redactText(text);
}

function maskQuery(query: string): string {
  return redactText(query.replace(/(^|&)(token|[^=&]*secret)=[^&]*/gi, '$1$2=[redacted]'));
}
