/**
 * The client: one call in, one judged answer or one `Failure` out. What every call has in common stands in `chainOf`, and nowhere
 * else. The client never learns where a token comes from or where its records go.
 */
import type { ExchangeRecord, HttpRequest, WriteDown } from '../contract/exchange.ts';
import { writeJson } from '../contract/json.ts';
import { redactBody, redactHeaders, redactText } from '../contract/secrets.ts';
import { usage } from '../failure.ts';
import { type Answer, judge, type Schema } from './answers.ts';
import { authorise, type LendToken, present } from './authorise.ts';
import { type Call, compose, type Interceptor, type Step } from './chain.ts';
import { idempotency } from './idempotency.ts';
import { createPace, pace, type Pace } from './pace.ts';
import { retry, type RetryOptions } from './retry.ts';
import { sleep as realSleep } from './sleep.ts';
import { trace } from './trace.ts';
import type { TransportAnswer } from './transport-answer.ts';

export interface ClientOptions {
  /** Scheme, host, port and perhaps a path, without `/partner/v1`. */
  base: string;
  userAgent: string;
  /** null: calls go out without a bearer. */
  token: LendToken | null;
  /** Credentials that travel as headers of their own, for an API without tokens. */
  credentials?: () => Promise<Record<string, string>>;
  /** False where the API knows no idempotency keys: a write is then sent once, whatever happens to it. Default true. */
  keys?: boolean;
  send: (request: HttpRequest) => Promise<TransportAnswer>;
  /** A fresh UUID v4. */
  newKey: () => string;
  /** Limit of one try, in milliseconds. */
  timeoutMs: number;
  maxRetries: number;
  now: () => number;
  random: () => number;
  sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  environment: string | null;
  /** See `Client.foreign`. */
  foreign?: string;
  signal?: AbortSignal;
  /** Shared by all clients of one project; without it the client keeps its own. */
  pace?: Pace;
  /** Gets each try with its secrets; whoever keeps it redacts. */
  record?: WriteDown;
  /** Gets each try without its secrets, for `--debug`. */
  onTrace?: WriteDown;
  onWait?: RetryOptions['onWait'];
  /** Live secret values, for `onTrace` and for messages of failures. */
  secrets?: () => readonly string[];
}

export interface ClientCall<T = unknown> {
  method: string;
  /** Below the base: `/partner/v1/…`. */
  path: string;
  query?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, instead of `body`; its `content-type` stands in `headers`. */
  rawBody?: string | Uint8Array;
  headers?: Readonly<Record<string, string>>;
  idempotencyKey?: string;
  /** The route is assumed, not documented (partner-api.md#evidence-tags-and-optional-routes). */
  assumed?: boolean;
  schema?: Schema<T>;
  /** A success that is not JSON is taken as its text. */
  anyBody?: boolean;
  signal?: AbortSignal;
}

export interface Client {
  /** Whose API it is, where that is not the partner API: no endpoint of the list is one of theirs. */
  readonly foreign?: string;
  /** @throws Failure */
  call<T = unknown>(call: ClientCall<T>): Promise<Answer<T>>;
}

/** A wait longer than this is not made: the user is told instead (partner-api.md#rate-limits). */
const MAX_WAIT_MS = 60_000;
const TRACE_CHARACTERS = 16 * 1024;

export function createClient(options: ClientOptions): Client {
  const step = chainOf(options);
  return {
    ...(options.foreign === undefined ? {} : { foreign: options.foreign }),
    async call(asked) {
      const call: Call = { request: requestOf(options, asked), attempt: 0, startedAt: null };
      const answer = await step(call);
      return judge(answer, {
        method: asked.method,
        path: asked.path,
        now: options.now(),
        known: options.secrets?.() ?? [],
        ...(asked.assumed === undefined ? {} : { assumed: asked.assumed }),
        ...(asked.schema === undefined ? {} : { schema: asked.schema }),
        ...(asked.anyBody === undefined ? {} : { anyBody: asked.anyBody }),
      });
    },
  };
}

/** From the outside in. Retry stands within authorise, so that a call mints at most once; pace and trace see every try. */
function chainOf(options: ClientOptions): Step {
  const { now, random, environment } = options;
  const waiting = { now, sleep: options.sleep ?? realSleep };
  const limits = {
    maxRetries: options.maxRetries,
    // Time for every try, and a minute for all the waits between them.
    totalMs: options.timeoutMs * (options.maxRetries + 1) + MAX_WAIT_MS,
    maxWaitMs: MAX_WAIT_MS,
  };
  const send: Step = (call) => options.send(call.request);
  const interceptors: Interceptor[] = [
    ...(options.keys === false ? [] : [idempotency(options.newKey)]),
    ...(options.credentials ? [present(options.credentials)] : []),
    ...(options.token ? [authorise(options.token)] : []),
    retry({ limits, random, ...waiting, onWait: options.onWait }),
    pace(options.pace ?? createPace(waiting)),
    trace({ environment, now, record: (record) => writeDown(options, record) }),
  ];
  return compose(send, ...interceptors);
}

function requestOf(options: ClientOptions, asked: ClientCall<unknown>): HttpRequest {
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
  return request;
}

/** Only paths below the base on its own host: a credential never follows a path to somewhere else. */
function urlOf(base: string, path: string, query: NonNullable<ClientCall['query']>): string {
  const own = new URL(base);
  const root = own.pathname.replace(/\/+$/, '');
  const text = own.origin + root + path;
  const url = /^\/(?![/\\])[^\s\\]*$/.test(path) && URL.canParse(text) ? new URL(text) : null;
  const inside = url?.origin === own.origin && url.pathname.startsWith(`${root}/`);
  if (url === null || !inside || url.username !== '' || url.password !== '') {
    throw usage('a path begins with one / and stays on its own host', { code: 'bad_path', param: 'path' });
  }
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  }
  url.hash = '';
  return url.href;
}

function writeDown(options: ClientOptions, record: ExchangeRecord): void {
  options.record?.(record);
  options.onTrace?.(withoutSecrets(record, options.secrets?.() ?? []));
}

function withoutSecrets(record: ExchangeRecord, known: readonly string[]): ExchangeRecord {
  const clean = { ...record };
  const text = (value: string | null): string | null =>
    value === null ? null : redactBody(value, TRACE_CHARACTERS, known);
  clean.path = redactText(record.path, known);
  clean.requestHeaders = redactHeaders(record.requestHeaders, known);
  clean.responseHeaders = redactHeaders(record.responseHeaders, known);
  for (const member of OUTSIDE_TEXT) clean[member] = text(record[member]);
  return clean;
}

/** Members that repeat what the user or the server wrote. */
const OUTSIDE_TEXT = [
  'requestBody',
  'responseBody',
  'idempotencyKey',
  'resourceId',
  'requestId',
  'errorType',
  'errorCode',
  'errorParam',
] as const satisfies readonly (keyof ExchangeRecord)[];
