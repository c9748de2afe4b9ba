/**
 * The server of the listener's page (`webhooks listen --inspect`): shows deliveries live in a browser on this machine, and replays them on request.
 * It listens on loopback and gives data only to a caller that has the token. Events, the inbox and the replay function are passed in.
 */
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { ExchangeRecord } from '../contract/exchange.ts';
import type { ListenerEvent } from '../contract/listener-events.ts';
import { redactText } from '../contract/secrets.ts';
import { Failure } from '../failure.ts';
import { bearsToken, type RefusedCaller, refusedCaller } from '../http-server/access.ts';
import { openServer } from '../http-server/local-server.ts';
import { DeliveryList, type InboxReader, MAX_REJECTED, MAX_STORED, type ReplayResult } from './delivery-list.ts';
import { cleanRow, detailOf } from './delivery-detail.ts';
import { SseClients } from './sse-clients.ts';

export interface InspectorOptions {
  /** 0: any free port. */
  port: number;
  /** At least 128 random bits, as URL-safe text. */
  token: string;
  /** The folder with the page's files. */
  folder: string;
  environment: string | null;
  inbox: InboxReader;
  /** Sends a stored delivery to one of its targets again. @throws Failure */
  replay: (inboxId: number, target: string) => Promise<ReplayResult>;
  /** Maximum age of a signature, in seconds. */
  tolerance: number;
  /** Live secrets, redacted by value. */
  known: () => readonly string[];
  /** Milliseconds since the epoch. */
  now: () => number;
  /** How many pages may be open at once. A browser has six connections per host, and the page needs some for other requests. Default 4. */
  maxPages?: number;
  pauseMs?: number;
}

export interface Inspector {
  /** With the token in the fragment, which browsers never send to a server and logs never contain. */
  url: string;
  /** Never throws. */
  onEvent(event: ListenerEvent): void;
  /** Remembers the bytes of a delivery that may be rejected next. */
  keepBody(record: ExchangeRecord): void;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 32;
const MAX_REPLAYS = 4;
const CLOSE_GRACE_MS = 500;

/** @throws Failure `usage` (`port_in_use`, `port_forbidden`) */
export async function openInspector(options: InspectorOptions): Promise<Inspector> {
  const files = await readPageFiles(options.folder);
  const routes = createRoutes(options);
  const local = await openServer({
    port: options.port,
    chosenBy: {
      param: '--inspect',
      next: 'choose another with --inspect=PORT, or any free one with --inspect',
    },
    http: { maxHeaderSize: 16_384, requestTimeout: 10_000 },
    maxConnections: MAX_CONNECTIONS,
  });
  const { server, port } = local;
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('request', (request, response) => {
    response.on('error', () => response.destroy());
    const refused = refusedCaller(request, port);
    if (refused !== null && !(refused === 'foreign_page' && isVisit(request))) {
      const { status, error } = REFUSALS[refused];
      return answer(response, status, { error });
    }
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const file = files.get(path);
    if (file !== undefined) return sendFile(request, response, file);
    return void routes.serve(request, response, path);
  });
  return {
    url: `${local.origin}/#${options.token}`,
    onEvent(event) {
      try {
        routes.list.onEvent(event);
      } catch {
        // The inbox could not be read for an earlier delivery. An error of the page must not reach the listener.
      }
    },
    keepBody: (record) => routes.list.keepBody(record),
    close: () => {
      routes.clients.end();
      return local.close(CLOSE_GRACE_MS);
    },
  };
}

/** Without the token no data is sent. The token is not a cookie: cookies of 127.0.0.1 are sent to every port (RFC 6265 §8.5). */
const REFUSALS: Readonly<Record<RefusedCaller, { status: number; error: string }>> = {
  not_a_path: { status: 400, error: 'the request target is not a path' },
  wrong_host: { status: 421, error: 'the Host header does not name this page' },
  foreign_page: { status: 403, error: 'a page of another origin may not call this one' },
};

/** Whether a browser opens the page itself. A link to it may be on any site, such as a web terminal; without the token it shows nothing. */
function isVisit({ method, url, headers }: IncomingMessage): boolean {
  const { origin, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = headers;
  return origin === undefined && method === 'GET' && url === '/' && mode === 'navigate' && dest === 'document';
}

/** The routes behind the token: the event stream, one delivery, its replay. */
function createRoutes(options: InspectorOptions) {
  const { inbox, tolerance, known, now } = options;
  const list = new DeliveryList(inbox, () => clients.changed());
  const clients = new SseClients({
    list,
    boot: now().toString(36),
    facts: () => factsOf(list, options),
    clean: (row) => {
      const secrets = known();
      return cleanRow(row, (text) => redactText(text, secrets));
    },
    maxPages: options.maxPages ?? 4,
    ...(options.pauseMs === undefined ? {} : { pauseMs: options.pauseMs }),
  });
  let replays = 0;

  async function replay(response: ServerResponse, key: string, place: number): Promise<void> {
    const target = list.get(key)?.row.targets[place]?.target;
    if (target === undefined) return answer(response, 404, { error: 'no such delivery, or no such target of it' });
    if (replays >= MAX_REPLAYS)
      return answer(response, 429, { error: 'too many replays at once; try again in a moment' });
    replays += 1;
    try {
      const sent = await options.replay(Number(key), target);
      list.replayed(key, new Date(now()).toISOString(), sent);
      return answer(response, 200, { status: sent.status, error: sent.error, latency_ms: sent.latency_ms });
    } catch (error) {
      return answer(response, 503, {
        error: error instanceof Failure ? error.message : 'the delivery could not be sent',
      });
    } finally {
      replays -= 1;
    }
  }

  function detail(response: ServerResponse, key: string): void {
    const entry = list.get(key);
    if (entry === undefined) return answer(response, 404, { error: 'this delivery is no longer in the list' });
    return answer(response, 200, detailOf(entry, { inbox, tolerance, known }));
  }

  function follow(request: IncomingMessage, response: ServerResponse): void {
    if (clients.isFull) return answer(response, 503, { error: 'this page is open too many times; close another one' });
    const type = { 'Content-Type': 'text/event-stream; charset=utf-8', Connection: 'close' };
    response.writeHead(200, { ...SAFE_HEADERS, ...type });
    return clients.add(response, String(request.headers['last-event-id'] ?? '') || null);
  }

  function serve(request: IncomingMessage, response: ServerResponse, path: string): void | Promise<void> {
    const [, key, place] = /^\/deliveries\/(r?\d{1,15})(?:\/replays\/(\d{1,3}))?$/.exec(path) ?? [];
    if (path !== '/stream' && key === undefined) return answer(response, 404, { error: 'no such path' });
    const method = place === undefined ? 'GET' : 'POST';
    if (request.method !== method)
      return answer(response, 405, { error: `only ${method} is allowed` }, { Allow: method });
    if (!bearsToken(request.headers.authorization, options.token))
      return answer(response, 401, { error: 'the token is missing or wrong: open the address the listener printed' });
    if (key === undefined) return follow(request, response);
    return place === undefined ? detail(response, key) : replay(response, key, Number(place));
  }

  return {
    list,
    clients,
    async serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
      try {
        await serve(request, response, path);
      } catch {
        answer(response, 500, { error: 'the inbox could not be read' });
      }
    },
  };
}

/** The data shown above the list, redacted: a target URL may contain a token. */
function factsOf({ header }: DeliveryList, { environment, known }: InspectorOptions): object {
  const { ready } = header;
  const targets = ready?.targets.map((target) => redactText(target, known()));
  const most = { kept: MAX_STORED, refused: MAX_REJECTED };
  return { ...header, ready: ready === null ? null : { ...ready, targets }, environment, most };
}

function sendFile(request: IncomingMessage, response: ServerResponse, { type, body }: PageFile): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return answer(response, 405, { error: 'only GET is allowed' }, { Allow: 'GET, HEAD' });
  }
  response.writeHead(200, { ...SAFE_HEADERS, 'Content-Type': type, 'Content-Length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Answers with JSON. Request bodies are never read, so the connection is closed after a request that has one. */
function answer(response: ServerResponse, status: number, document: object, more: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return;
  const { 'content-length': length = '0', 'transfer-encoding': coding } = response.req.headers;
  const last = length !== '0' || coding !== undefined || status === 421 ? { Connection: 'close' } : {};
  const type = { 'Content-Type': 'application/json; charset=utf-8' };
  response.writeHead(status, { ...SAFE_HEADERS, ...type, ...last, ...more });
  response.end(JSON.stringify(document));
}

interface PageFile {
  type: string;
  body: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Reads the page's files, by path; `/` is `index.html`. They contain no data, so they are served without a token. */
export async function readPageFiles(folder: string): Promise<Map<string, PageFile>> {
  const names = (await readdir(folder)).filter((name) => typeOf(name) !== null);
  const files = names.map(async (name) => {
    const file = { type: typeOf(name) ?? '', body: await readFile(join(folder, name)) };
    return [name === 'index.html' ? '/' : `/${name}`, file] as const;
  });
  return new Map(await Promise.all(files));
}

function typeOf(name: string): string | null {
  return TYPES[/^[a-z]+\.([a-z]+)$/.exec(name)?.[1] ?? ''] ?? null;
}

/** Only the page's own scripts run, nothing is loaded from other origins, and text is never parsed as HTML. */
const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};
