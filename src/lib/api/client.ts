/**
 * The API client: calls an endpoint by its name, or any path below the base, and returns the parsed answer or throws a `Failure`.
 * It adds the credential and, to writes, an idempotency key; it keeps to the rate limits, retries where that is safe, and records each
 * attempt. The caller provides the source of the tokens and receives the records.
 */
import { isReplay, readProblem } from '../contract/error-answer.ts';
import type { HttpRequest, Send, RecordExchange } from '../contract/exchange.ts';
import { isRecord, writeJson } from '../contract/json.ts';
import { Failure, usage } from '../failure.ts';
import { type Answer, MAX_WAIT_MS, parseAnswer, type Schema } from './answers.ts';
import { type Endpoint, type EndpointName, ENDPOINTS, type Yield } from './endpoints.ts';
import type { RateLimiter } from './rate-limit.ts';
import { recorded } from './recording.ts';
import { type Call, type RetryOptions, sleep, withRetries } from './retry.ts';
import type { Transport, TransportAnswer } from './transport.ts';

/** Returns a token. `refused` is one that the server just refused, or null. If it returns the refused token, there is no newer one. */
export type GetToken = (ask: { refused: string | null }) => Promise<string>;

/** What the client and the token plane send with. */
export interface SendOptions {
  send: Transport['send'];
  /** Limit of one attempt, in milliseconds. */
  timeoutMs: number;
  maxRetries: number;
  /** Longest single wait between attempts, in milliseconds; if the server asks for more, the call fails. Default 60 s. */
  maxWaitMs?: number;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** 0 ≤ n < 1. */
  random: () => number;
  /** Default: a real timer. */
  sleep?: RetryOptions['sleep'];
  environment: string | null;
  signal?: AbortSignal;
  /** Called with the record of each attempt, before redaction. */
  record: RecordExchange;
  onWait?: RetryOptions['onWait'];
}

export interface ClientOptions extends SendOptions {
  /** Scheme, host, port and perhaps a path, without `/partner/v1`. */
  base: string;
  userAgent: string;
  /** null: calls are sent without a bearer token. */
  token: GetToken | null;
  /** Headers with credentials, for an API without tokens. When they are refused, the call is not repeated. */
  credentials?: () => Promise<Record<string, string>>;
  /** False where the API does not support idempotency keys: a write is then never retried. Default true. */
  keys?: boolean;
  /** Returns a new UUID v4. */
  newKey: () => string;
  /** See `Client.foreign`. */
  foreign?: string;
  /** Shared by all clients of one project. */
  rateLimiter: RateLimiter;
  /** Live secrets, to be redacted in messages. */
  secrets?: () => readonly string[];
  writes?: WriteTracker;
}

/** Gets the outcome of each write (command-line.md#writes-that-may-have-happened). */
export interface WriteTracker {
  /** Before it is sent. May give it the idempotency key of an earlier try. */
  prepare(request: HttpRequest): Promise<void>;
  /** It was done or definitely refused. @param replayed the answer is that of an earlier try; nothing was done again */
  settled(request: HttpRequest, replayed: boolean): Promise<void>;
  /** It may have happened; what is known about that can be added to the failure. */
  unsettled(request: HttpRequest, failure: Failure): Promise<void>;
}

export interface ClientRequest<T = unknown> {
  method: string;
  /** Path below the base: `/partner/v1/…`. */
  path: string;
  query?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent unchanged, instead of `body`; its `content-type` is in `headers`. */
  rawBody?: string | Uint8Array;
  headers?: Readonly<Record<string, string>>;
  idempotencyKey?: string;
  /** The route is assumed, not documented (partner-api.md#evidence-tags-and-optional-routes). */
  assumed?: boolean;
  schema?: Schema<T>;
  /** A successful answer that is not JSON is returned as text. */
  anyBody?: boolean;
  signal?: AbortSignal;
}

/** The variable parts of a call to an endpoint. */
export interface Operation extends Pick<ClientRequest, 'query' | 'body' | 'headers' | 'idempotencyKey' | 'signal'> {
  /** The id in paths with `{id}`. */
  id?: string;
  /** Checks a page but not the items on it: they are printed as sent, and checking copies them (most of the memory a long list takes). */
  itemsAsSent?: boolean;
}

export interface Client {
  /** Name of the provider whose API is not the partner API, so that `call` refuses every endpoint; null for the partner API. */
  readonly foreign?: string;
  /** Calls an endpoint by its name, and validates the answer with its schema. @throws Failure */
  call<N extends EndpointName>(name: N, operation?: Operation): Promise<Answer<Yield<N>>>;
  /** Sends any request below the base. @throws Failure */
  request<T = unknown>(request: ClientRequest<T>): Promise<Answer<T>>;
}

export function createClient(options: ClientOptions): Client {
  const { foreign } = options;
  const request = async <T>(asked: ClientRequest<T>): Promise<Answer<T>> => {
    const call: Call = { request: await requestOf(options, asked), attempt: 0, startedAt: null };
    try {
      const answer = await authorised(options, call);
      const { maxWaitMs = MAX_WAIT_MS } = options;
      const parsed = parseAnswer(answer, { ...asked, now: options.now(), maxWaitMs, known: options.secrets?.() ?? [] });
      if (isWrite(call.request)) await options.writes?.settled(call.request, isReplay(answer.headers));
      return parsed;
    } catch (error) {
      if (error instanceof Failure && isWrite(call.request)) await explainWrite(call, error, options.writes);
      throw error;
    }
  };
  return {
    ...(foreign === undefined ? {} : { foreign }),
    request,
    async call<N extends EndpointName>(name: N, { id, itemsAsSent, ...operation }: Operation = {}) {
      if (foreign !== undefined) throw notPartnerApi(foreign);
      const endpoint: Endpoint = ENDPOINTS[name];
      const path = pathOf(endpoint, id);
      const schema = (await schemaOf(endpoint, itemsAsSent)) as Schema<Yield<N>>;
      return request({ ...operation, method: endpoint.method, path, assumed: endpoint.assumed ?? false, schema });
    },
  };
}

/**
 * Sends to the token plane: without a bearer or a key, and with retries, because a token request that was lost on the way is simply sent
 * again (RFC 6749 §4.4: nothing but a token comes of it).
 */
export function createSendWithoutCredential(options: SendOptions): Send {
  const { signal } = options;
  return (request: HttpRequest) =>
    sendWithRetries(options, {
      request: signal ? { signal, ...request } : request,
      attempt: 0,
      startedAt: null,
      repeatable: true,
    });
}

function isWrite({ method }: HttpRequest): boolean {
  return !/^(?:GET|HEAD|OPTIONS)$/.test(method);
}

/** Says in the failure whether the write may have happened all the same. */
async function explainWrite({ request, unsettled }: Call, failure: Failure, writes?: WriteTracker): Promise<void> {
  const { facts } = failure;
  if (isDefiniteRefusal(failure)) return writes?.settled(request, false);
  const unread = facts.status !== undefined && facts.status < 300;
  if (unsettled !== true && !unread && facts.code !== IN_PROGRESS) return;
  // That the server asked to wait stays in front of what is said about the write.
  const asked = facts.retryAfter === undefined ? '' : `${facts.next}; `;
  facts.mayHaveHappened = true;
  const key = request.headers['idempotency-key'];
  if (key === undefined)
    facts.next = 'it may have happened, and there was no idempotency key: look before you repeat it';
  else {
    facts.idempotencyKey = key;
    facts.next = 'it may have happened: repeat it with the same idempotency key, then it happens once';
  }
  await writes?.unsettled(request, failure);
  facts.next = asked + facts.next;
}

/** The server judged the write itself. Credentials and limits are judged before it, so a refusal for those says nothing about earlier tries. */
function isDefiniteRefusal({ facts: { status = 0, code } }: Failure): boolean {
  return status >= 400 && status < 500 && ![401, 403, 407, 408, 429].includes(status) && code !== IN_PROGRESS;
}

const IN_PROGRESS = 'idempotency_key_in_progress';

/** The failure for a partner API call with the profile of another provider. @param title name of that provider */
export function notPartnerApi(title: string): Failure {
  return usage(`this command is for the partner API of Credicorp; ${title} has a different API`, {
    code: 'provider_mismatch',
    next: 'call its API with credicorp api METHOD PATH, or choose another profile with --profile',
  });
}

/** The endpoint's path from the root of the host. @throws Failure `usage` when the id is missing or not valid. */
export function pathOf(endpoint: Endpoint, id?: string): string {
  if (!endpoint.path.includes('{id}')) return `/partner/v1${endpoint.path}`;
  // Ids are opaque, but must not change the path (partner-api.md#conventions).
  if (id === undefined || id === '' || /^\.{1,2}$/.test(id))
    throw usage('an id is needed', { param: 'id', code: 'bad_id' });
  return `/partner/v1${endpoint.path.replace('{id}', () => encodeURIComponent(id))}`;
}

/** The schemas, and the library they are written in, are loaded with the first call to an endpoint. */
async function schemaOf({ holds, list }: Endpoint, itemsAsSent = false): Promise<Schema<unknown> | undefined> {
  if (holds === null) return undefined;
  if (list === true && itemsAsSent) return { safeParse: (json) => pageAsSent(asPage(json)) };
  const resources = await import('../contract/resources.ts');
  if (list !== true) return resources[holds];
  const page = resources.pageOf(resources[holds]);
  return { safeParse: (json) => page.safeParse(asPage(json)) };
}

/** A page whose items are neither checked nor copied: what is left to check needs no schema library. */
function pageAsSent(json: unknown): ReturnType<Schema<unknown>['safeParse']> {
  const page = isRecord(json) ? json : {};
  const isOneOf = (value: unknown, type: string): boolean =>
    value === undefined || value === null || typeof value === type;
  const misfits = [
    ...(Array.isArray(page['data']) ? [] : ['data']),
    ...(isOneOf(page['has_more'], 'boolean') ? [] : ['has_more']),
    ...(isOneOf(page['next_cursor'], 'string') ? [] : ['next_cursor']),
  ];
  if (misfits.length === 0) return { success: true, data: json };
  return { success: false, error: { issues: misfits.map((member) => ({ path: [member] })) } };
}

/** `GET /decisions` may answer a page, an array or a single object (partner-api.md#decisions); the document itself stays as it came. */
function asPage(json: unknown): unknown {
  if (Array.isArray(json)) return { data: json, has_more: false };
  if (typeof json !== 'object' || json === null || 'data' in json || !('id' in json)) return json;
  return { data: [json], has_more: false };
}

/** Sends with the credential. After a 401 that a newer token could solve, it gets a newer one and sends again, once (partner-api.md#oauth-tokens). */
async function authorised(options: ClientOptions, call: Call): Promise<TransportAnswer> {
  const { credentials, token } = options;
  const { request } = call;
  if (credentials) request.headers = { ...request.headers, ...(await credentials()) };
  if (token === null) return sendWithRetries(options, call);
  const bearer = await token({ refused: null });
  request.headers['authorization'] = `Bearer ${bearer}`;
  const answer = await sendWithRetries(options, call);
  if (!isStale(answer)) return answer;
  const fresh = await token({ refused: bearer });
  if (fresh === bearer) return answer;
  call.request = { ...request, headers: { ...request.headers, authorization: `Bearer ${fresh}` } };
  return sendWithRetries(options, call);
}

/** True when a new token could help: on a 401, except `token_revoked` and `audience_mismatch`. */
function isStale(answer: TransportAnswer): boolean {
  if (answer.status !== 401) return false;
  const { code } = readProblem(answer);
  return code === 'token_expired' || code === 'unauthorized' || code === 'invalid_token';
}

/** Sends with retries. Each attempt waits for the rate limiter, if there is one, and is recorded. */
function sendWithRetries(options: SendOptions & { rateLimiter?: RateLimiter }, call: Call): Promise<TransportAnswer> {
  const { send, environment, rateLimiter, maxRetries, maxWaitMs = MAX_WAIT_MS, timeoutMs, now } = options;
  const limits = {
    maxRetries,
    // Time for every attempt, and the longest wait once for all waits between them.
    totalMs: timeoutMs * (maxRetries + 1) + maxWaitMs,
    maxWaitMs,
  };
  const attempt = async (): Promise<TransportAnswer> => {
    const { request } = call;
    const leave = await rateLimiter?.enter(request.method, new URL(request.url).pathname, request.signal);
    let answer: TransportAnswer | null = null;
    try {
      call.attempt += 1;
      call.startedAt ??= now();
      answer = await recorded(request, { attempt: call.attempt, environment }, options, () => send(request));
      if (answer.status >= 500 || (answer.broken && answer.status < 300)) call.unsettled = true;
      return answer;
    } catch (error) {
      if (error instanceof Failure && error.facts.sent) call.unsettled = true;
      throw error;
    } finally {
      leave?.(answer);
    }
  };
  return withRetries(call, attempt, { ...options, limits, sleep: options.sleep ?? sleep });
}

async function requestOf(options: ClientOptions, asked: ClientRequest<unknown>): Promise<HttpRequest> {
  const headers: Record<string, string> = { accept: 'application/json', 'user-agent': options.userAgent };
  for (const [name, value] of Object.entries(asked.headers ?? {})) headers[name.toLowerCase()] = value;
  if (asked.idempotencyKey !== undefined) headers['idempotency-key'] = asked.idempotencyKey;
  const request: HttpRequest = {
    method: asked.method.toUpperCase(),
    url: urlOf(options.base, asked.path, asked.query ?? {}),
    headers,
    timeoutMs: options.timeoutMs,
  };
  const signal = asked.signal ?? options.signal;
  if (signal) request.signal = signal;
  if (asked.rawBody !== undefined) request.body = asked.rawBody;
  else if (asked.body !== undefined) {
    headers['content-type'] ??= 'application/json';
    request.body = writeJson(asked.body);
  }
  if (options.keys !== false && isWrite(request)) await addIdempotencyKey(request, options);
  return request;
}

/** Adds an idempotency key to a write: one for each call, the same for all its attempts (partner-api.md#idempotency). */
async function addIdempotencyKey(request: HttpRequest, { newKey, writes }: ClientOptions): Promise<void> {
  await writes?.prepare(request);
  const { headers } = request;
  headers['idempotency-key'] ??= newKey();
  if (/^[\x21-\x7e]{1,255}$/.test(headers['idempotency-key'])) return;
  throw usage('an idempotency key is 1 to 255 printable characters without spaces', {
    param: '--idempotency-key',
    code: 'bad_idempotency_key',
  });
}

/** The URL of a path below the base. A path cannot lead to another host, which would receive the credential. */
function urlOf(base: string, path: string, query: NonNullable<ClientRequest['query']>): string {
  const own = new URL(base);
  const root = own.pathname.replace(/\/+$/, '');
  const text = own.origin + root + path;
  const url = /^\/(?![/\\])[^\s\\]*$/.test(path) && URL.canParse(text) ? new URL(text) : null;
  const inside = url?.origin === own.origin && url.pathname.startsWith(`${root}/`);
  if (url === null || !inside || url.username !== '' || url.password !== '') {
    throw usage('a path must begin with a single / and cannot lead to another host', {
      code: 'bad_path',
      param: 'path',
    });
  }
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  }
  url.hash = '';
  return url.href;
}
