/** Writes down each try as one record. Counts the tries, because it is the last to see a call before the wire. */
import type { ExchangeRecord, HttpRequest, WriteDown } from '../contract/exchange.ts';
import { partnerRoute } from '../contract/scopes.ts';
import { Failure } from '../failure.ts';
import type { Interceptor } from './chain.ts';
import { readProblem, requestIdOf } from '../contract/error-answer.ts';
import type { TransportAnswer } from './transport-answer.ts';

export interface TraceOptions {
  environment: string | null;
  now: () => number;
  /** Gets records with their secrets in them. */
  record: WriteDown;
}

export function trace(options: TraceOptions): Interceptor {
  return (next) => async (call) => {
    const at = options.now();
    call.attempt += 1;
    call.startedAt ??= at;
    const seen = { at, attempt: call.attempt, environment: options.environment };
    const write = (ended: TransportAnswer | Failure): void =>
      options.record(recordOf(call.request, ended, { ...seen, latencyMs: options.now() - at }));
    try {
      const answer = await next(call);
      write(answer);
      return answer;
    } catch (error) {
      if (error instanceof Failure) write(error);
      throw error;
    }
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

/** The `{id}` of the path, or the `id` that a new object came back with. */
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
