/** The request log, as pages, as lines, and as a stream of server-sent events (sandbox.md#admin-routes, sandbox.md#request-log-and-stream). */
import { isoSeconds } from '../../contract/time.ts';
import { isLocalCaller } from '../../http-server/access.ts';
import { type EventSink, ServerEventWriter } from '../../http-server/server-event-writer.ts';
import { cutPage, readPageQuery } from '../state/cursors.ts';
import { json, type SandboxAnswer, type SandboxCall } from '../http/call.ts';
import { refuse } from '../http/refusal.ts';
import type { LoggedRequest } from '../requests/request-log.ts';
import type { LogMessage, RequestLog } from '../requests/request-log.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { SandboxState } from '../state/state.ts';

const PATH = '/_sandbox/requests';
/** Real milliseconds between comment lines, which keep the stream open. */
const KEEP_OPEN_MS = 15_000;
/** A reader this many messages behind is disconnected. */
const MOST_BEHIND = 1000;

export function logRoutes(state: SandboxState, log: RequestLog): SandboxRoute[] {
  return [
    { method: 'GET', path: PATH, plane: 'admin', handle: (call) => list(state, log, call) },
    { method: 'GET', path: `${PATH}/stream`, plane: 'admin', handle: (call) => follow(state, log, call) },
  ];
}

/**
 * What may leave this machine: the log with its token shows another host where deliveries go, and not the path, which is often all
 * that keeps strangers from a receiver.
 */
function shownTo(call: SandboxCall, text: string): string {
  return isLocalCaller(call.request) ? text : text.replace(TARGETS, '$1/…');
}

/** In bodies that are logged as text the quotes are escaped. */
const TARGETS = /(\\?"url\\?": *\\?"https?:\/\/[^"\\/?#]+)[^"\\]+/g;

function list(state: SandboxState, log: RequestLog, call: SandboxCall): SandboxAnswer {
  const accept = filterOf(call);
  if ((call.request.headers['accept'] ?? '').includes('application/x-ndjson')) {
    const lines = log
      .entries()
      .filter(accept)
      .map((entry) => `${entry.text()}\n`);
    return { status: 200, headers: { 'Content-Type': 'application/x-ndjson' }, body: shownTo(call, lines.join('')) };
  }
  const page = readPageQuery(call.search, state.seed, PATH);
  const answer = json(
    200,
    cutPage(log.entries(), page, state.seed, PATH, (entry) => entry.show(), accept),
  );
  return { ...answer, body: shownTo(call, answer.body) };
}

/** `method`, `path` (prefix), `status` (`4xx` or `429`), `since` (seq). @throws Refusal 400 */
function filterOf(call: SandboxCall): (entry: LoggedRequest) => boolean {
  const [method, path, status] = ['method', 'path', 'status'].map((name) => call.search.get(name));
  if (status && !/^[1-5](?:xx|\d\d)$/.test(status)) {
    throw refuse('parameter_invalid', 'status must be such as 4xx or 429.', 'status');
  }
  const since = readSince(call.search.get('since')) ?? 0;
  return (entry) =>
    entry.n > since &&
    (!method || entry.call.request.method === method.toUpperCase()) &&
    (!path || entry.call.request.path.startsWith(path)) &&
    (!status || String(entry.status).startsWith(status.replace('xx', '')));
}

/** @throws Refusal 400 */
function readSince(text: string | null | undefined): number | null {
  if (text === null || text === undefined || text === '') return null;
  if (!/^\d{1,15}$/.test(text)) throw refuse('parameter_invalid', 'since must be a sequence number.', 'since');
  return Number(text);
}

/**
 * Replays what the log still keeps after `Last-Event-ID` or `since`, then goes on with what comes. The headers say whose numbers
 * these are, how far they have come and what the sandbox's clock shows, so that a reader whose connection breaks loses nothing even before the first message.
 */
function follow(state: SandboxState, log: RequestLog, call: SandboxCall): SandboxAnswer {
  const last = log.last();
  const since = readSince(call.request.headers['last-event-id'] ?? call.search.get('since')) ?? last;
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'Credicorp-Log-Instance': log.instance,
      'Credicorp-Log-Last': String(last),
      'Credicorp-Log-Now': isoSeconds(state.clock.now()),
    },
    body: '',
    stream: (sink, closed) => pour(log, since, { ...sink, write: (text) => sink.write(shownTo(call, text)) }, closed),
  };
}

function pour(log: RequestLog, since: number, sink: EventSink, closed: AbortSignal): void {
  const writer = new ServerEventWriter(sink, { beatMs: KEEP_OPEN_MS, maxBehind: MOST_BEHIND });
  writer.comment('the sandbox says what happens');
  replay(log, since, writer);
  const stopWatching = log.subscribe((message) => {
    if (message === null || !send(writer, message)) end();
  });
  const end = (): void => {
    stopWatching();
    writer.end();
  };
  closed.addEventListener('abort', end, { once: true });
}

function replay(log: RequestLog, since: number, writer: ServerEventWriter): void {
  const held = log.messages();
  const first = held[0]?.id ?? log.last() + 1;
  if (since + 1 < first) writer.send({ event: 'gap', data: JSON.stringify({ from: since + 1, to: first - 1 }) });
  for (const message of held) if (message.id > since) send(writer, message);
}

function send(writer: ServerEventWriter, message: LogMessage): boolean {
  return writer.send({ id: message.id, event: message.kind, data: message.text() });
}
