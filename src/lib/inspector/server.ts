/**
 * The page's server: a listener's deliveries in a browser of this machine, live, and sent again on request. It stands on loopback, hands
 * data to nobody but whoever has the token, and is handed everything it knows: moments, a reader of the inbox, a way to send again.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExchangeRecord } from '../contract/exchange.ts';
import { redactText } from '../contract/secrets.ts';
import { Failure } from '../failure.ts';
import { bearsToken, type RefusedCaller, refusedCaller } from '../http-server/access.ts';
import { openServer } from '../http-server/listen.ts';
import { Book, MOST_KEPT, MOST_REFUSED } from './book.ts';
import { cleanRow, detailOf } from './detail.ts';
import type { ListenerEvent } from '../contract/listener-events.ts';
import type { InboxReader, Replayed } from './heard.ts';
import { type PageFile, readPage, SAFE_HEADERS } from './page-files.ts';
import { SseClients } from './sse-clients.ts';

export interface InspectorOptions {
  /** 0 takes any free one. */
  port: number;
  /** At least 128 bits nobody can guess, as URL-safe text. */
  token: string;
  /** Where the page's files are. */
  folder: string;
  environment: string | null;
  inbox: InboxReader;
  /** Sends a stored delivery to one of its targets again. @throws Failure */
  replay: (inboxId: number, target: string) => Promise<Replayed>;
  /** Greatest age of a signature, in seconds. */
  tolerance: number;
  /** Live secrets, to be taken out by value. */
  known: () => readonly string[];
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Pages open at once. A browser has six connections for one host, and the others are needed too. Default 4. */
  mostPages?: number;
  pauseMs?: number;
}

export interface Inspector {
  /** With the token behind `#`, where no server and no log ever sees it. */
  url: string;
  /** Never throws. */
  hear(moment: ListenerEvent): void;
  /** The bytes of a delivery that is about to be refused. */
  keepBytes(record: ExchangeRecord): void;
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 32;
const MOST_REPLAYS = 4;
const FAREWELL_MS = 500;

/** @throws Failure `usage` (`port_in_use`, `port_forbidden`) */
export async function openInspector(options: InspectorOptions): Promise<Inspector> {
  const files = await readPage(options.folder);
  const desk = createDesk(options);
  const local = await openServer({
    port: options.port,
    chosenBy: {
      param: '--inspect',
      next: 'choose another with --inspect=PORT, or take any free one with --inspect',
    },
    http: { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 10_000, connectionsCheckingInterval: 5000 },
    maxConnections: MOST_CONNECTIONS,
  });
  const { server, port } = local;
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('request', (request, response) => {
    response.on('error', () => response.destroy());
    const refused = refusedCaller(request, port);
    if (refused !== null && !(refused === 'foreign_page' && isVisit(request))) {
      const { status, error } = REFUSALS[refused];
      return say(response, status, { error });
    }
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const file = files.get(path);
    if (file !== undefined) return show(request, response, file);
    return void desk.serve(request, response, path);
  });
  return {
    url: `${local.origin}/#${options.token}`,
    hear(moment) {
      try {
        desk.book.hear(moment);
      } catch {
        // The inbox could not be read for a delivery of before. The page must not trouble the listener.
      }
    },
    keepBytes: (record) => desk.book.keepBytes(record),
    close: () => {
      desk.clients.end();
      return local.close(FAREWELL_MS);
    },
  };
}

/** Data go to nobody without the token, which no cookie holds: a cookie of 127.0.0.1 goes to every port of it (RFC 6265 §8.5). */
const REFUSALS: Readonly<Record<RefusedCaller, { status: number; error: string }>> = {
  not_a_path: { status: 400, error: 'the request target is not a path' },
  wrong_host: { status: 421, error: 'the Host header does not name this page' },
  foreign_page: { status: 403, error: 'a page of another origin may not call this one' },
};

/** A link to the page may stand anywhere, for instance in a terminal within a browser; without the token the page shows nothing. */
function isVisit({ method, url, headers }: IncomingMessage): boolean {
  const { origin, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = headers;
  return origin === undefined && method === 'GET' && url === '/' && mode === 'navigate' && dest === 'document';
}

/** Behind the token: the stream, one delivery, sending it again. */
function createDesk(options: InspectorOptions) {
  const { inbox, tolerance, known, now } = options;
  const book = new Book(inbox, () => clients.changed());
  const clients = new SseClients({
    book,
    boot: now().toString(36),
    facts: () => factsOf(book, options),
    clean: (row) => {
      const secrets = known();
      return cleanRow(row, (text) => redactText(text, secrets));
    },
    maxPages: options.mostPages ?? 4,
    ...(options.pauseMs === undefined ? {} : { pauseMs: options.pauseMs }),
  });
  let replays = 0;

  async function replay(response: ServerResponse, key: string, place: number): Promise<void> {
    const target = book.get(key)?.row.ways[place]?.target;
    if (target === undefined) return say(response, 404, { error: 'there is no such delivery, or it went nowhere' });
    if (replays >= MOST_REPLAYS) return say(response, 429, { error: 'others are still under way' });
    replays += 1;
    try {
      const sent = await options.replay(Number(key), target);
      book.replayed(key, new Date(now()).toISOString(), sent);
      return say(response, 200, { status: sent.status, error: sent.error, latency_ms: sent.latency_ms });
    } catch (error) {
      return say(response, 503, { error: error instanceof Failure ? error.message : 'it could not be sent' });
    } finally {
      replays -= 1;
    }
  }

  function detail(response: ServerResponse, key: string): void {
    const entry = book.get(key);
    if (entry === undefined) return say(response, 404, { error: 'this delivery is not in the list any more' });
    return say(response, 200, detailOf(entry, { inbox, tolerance, known }));
  }

  function follow(request: IncomingMessage, response: ServerResponse): void {
    if (clients.isFull) return say(response, 503, { error: 'this page is open too often; close another one' });
    const type = { 'Content-Type': 'text/event-stream; charset=utf-8', Connection: 'close' };
    response.writeHead(200, { ...SAFE_HEADERS, ...type });
    return clients.add(response, String(request.headers['last-event-id'] ?? '') || null);
  }

  function serve(request: IncomingMessage, response: ServerResponse, path: string): void | Promise<void> {
    const [, key, place] = /^\/deliveries\/(r?\d{1,15})(?:\/replays\/(\d{1,3}))?$/.exec(path) ?? [];
    if (path !== '/stream' && key === undefined) return say(response, 404, { error: 'there is nothing here' });
    const method = place === undefined ? 'GET' : 'POST';
    if (request.method !== method) return say(response, 405, { error: `only ${method}` }, { Allow: method });
    if (!bearsToken(request.headers.authorization, options.token))
      return say(response, 401, { error: 'open the address the listener printed' });
    if (key === undefined) return follow(request, response);
    return place === undefined ? detail(response, key) : replay(response, key, Number(place));
  }

  return {
    book,
    clients,
    async serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
      try {
        await serve(request, response, path);
      } catch {
        // The inbox could not be read; who reads it says so.
        say(response, 500, { error: 'the inbox could not be read' });
      }
    },
  };
}

/** What stands above the list; a target may carry a token. */
function factsOf({ facts }: Book, { environment, known }: InspectorOptions): object {
  const { ready } = facts;
  const targets = ready?.targets.map((target) => redactText(target, known()));
  const most = { kept: MOST_KEPT, refused: MOST_REFUSED };
  return { ...facts, ready: ready === null ? null : { ...ready, targets }, environment, most };
}

function show(request: IncomingMessage, response: ServerResponse, { type, body }: PageFile): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return say(response, 405, { error: 'only GET' }, { Allow: 'GET, HEAD' });
  }
  response.writeHead(200, { ...SAFE_HEADERS, 'Content-Type': type, 'Content-Length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Nothing here reads a request's body, so one that comes with one is the last on its connection. */
function say(response: ServerResponse, status: number, document: object, more: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return;
  const { 'content-length': length = '0', 'transfer-encoding': coding } = response.req.headers;
  const last = length !== '0' || coding !== undefined || status === 421 ? { Connection: 'close' } : {};
  const type = { 'Content-Type': 'application/json; charset=utf-8' };
  response.writeHead(status, { ...SAFE_HEADERS, ...type, ...last, ...more });
  response.end(JSON.stringify(document));
}
