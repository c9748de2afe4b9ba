/** Records each attempt of a call for the journal: request, answer or failure, and latency. */
import { environmentOfHost } from '../contract/environments.ts';
import type { ExchangeRecord, HttpAnswer, HttpRequest, RecordExchange } from '../contract/exchange.ts';
import { partnerRoute } from '../contract/scopes.ts';
import { Failure } from '../failure.ts';
import { readProblem, requestIdOf } from '../contract/error-answer.ts';
import type { Transport, TransportAnswer } from './transport.ts';

interface Recorder {
  /** Called with each record, before redaction. */
  record: RecordExchange;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Runs one attempt and records its result. The body of a stream is not recorded. */
export async function recorded<A extends Pick<HttpAnswer, 'status' | 'headers'>>(
  request: HttpRequest,
  seen: Pick<ExchangeRecord, 'attempt' | 'environment'>,
  { record, now }: Recorder,
  run: () => Promise<A>,
): Promise<A> {
  const at = now();
  const write = (ended: TransportAnswer | Failure): void =>
    record(recordOf(request, ended, { ...seen, at, latencyMs: now() - at }));
  try {
    const answer = await run();
    write({ text: '', ...answer });
    return answer;
  } catch (error) {
    if (error instanceof Failure) write(error);
    throw error;
  }
}

/** A transport for calls outside the client: each call is recorded as the client's are. */
export function recordingTransport(transport: Transport, recorder: Recorder): Transport {
  const first = (url: string) => ({ attempt: 1, environment: environmentOfHost(url) });
  return {
    ...transport,
    send: (request) => recorded(request, first(request.url), recorder, () => transport.send(request)),
    stream: (request, idleMs) =>
      recorded(request, first(request.url), recorder, () => transport.stream(request, idleMs)),
  };
}

export function recordOf(
  request: HttpRequest,
  ended: TransportAnswer | Failure,
  seen: Pick<ExchangeRecord, 'at' | 'attempt' | 'environment' | 'latencyMs'>,
): ExchangeRecord {
  const url = new URL(request.url);
  const answer = ended instanceof Failure ? null : ended;
  const problem = answer !== null && answer.status >= 400 ? readProblem(answer) : null;
  const trouble = ended instanceof Failure ? (ended.facts.code ?? ended.kind) : (ended.broken?.code ?? null);
  return {
    ...seen,
    source: 'cli',
    method: request.method,
    path: url.pathname + url.search,
    origin: url.origin,
    status: answer?.status ?? null,
    requestId: answer === null ? null : requestIdOf(answer),
    idempotencyKey: request.headers['idempotency-key'] ?? null,
    eventId: null,
    eventType: null,
    deliveryId: null,
    resourceId: resourceIdOf(request.method, url.pathname, answer?.text ?? ''),
    errorType: problem?.type ?? null,
    errorCode: problem?.code ?? null,
    errorParam: problem?.param ?? null,
    note: trouble?.replaceAll('_', ' ') ?? null,
    requestHeaders: request.headers,
    requestBody: bodyText(request.body),
    responseHeaders: answer?.headers ?? {},
    responseBody: answer?.text ?? null,
  };
}

/** The `{id}` in the path, or the `id` of the new object in the answer. */
function resourceIdOf(method: string, path: string, text: string): string | null {
  const route = partnerRoute(method, path);
  const at = route === null ? -1 : route.path.split('/').indexOf('{id}');
  if (at !== -1) return path.replace(/^\/partner\/v1/, '').split('/')[at] ?? null;
  return /^\s*\{\s*"id"\s*:\s*"([^"\\]{1,128})"/.exec(text)?.[1] ?? null;
}

function bodyText(body: HttpRequest['body']): string | null {
  if (body === undefined) return null;
  return typeof body === 'string' ? body : new TextDecoder().decode(body);
}
