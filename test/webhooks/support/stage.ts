/** Real parts for listener tests: an app that can go away, a sender that signs, and a listener read as a stream. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Pool } from 'undici';
import type { ListenerEvent } from '../../../src/lib/contract/listener-events.ts';
import { signatureHeader } from '../../../src/lib/contract/signature.ts';
import { openStore, type Store } from '../../../src/lib/store/store.ts';
import { inboxTables } from '../../../src/lib/webhooks/inbox/inbox-tables.ts';
import type { EndpointApi } from '../../../src/lib/webhooks/listen/endpoint-registration.ts';
import { listen, type ListenOptions } from '../../../src/lib/webhooks/listen/listen.ts';

/** The endpoint's secret, and the one the app knows. */
export const SECRET = 'whsec_stage';
export const APP_SECRET = 'whsec_of_the_listener';
const root = mkdtempSync(join(tmpdir(), 'credicorp-webhooks-'));
after(() => rmSync(root, { recursive: true, force: true }));
let stores = 0;

export function newStorePath(): string {
  stores += 1;
  return join(root, `${stores}`, 'store.db');
}

export function openInbox(path = newStorePath(), maxBytes?: number): Store {
  return openStore({
    path,
    now: Date.now,
    tables: [inboxTables],
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
}

export interface Seen {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: Buffer;
}

export interface App {
  port: number;
  url: URL;
  seen: Seen[];
  /** Most requests that were under way at once. */
  most: number;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** An app on a loopback port; `respond` answers, by default with 200. */
export async function openApp(
  respond: (seen: Seen, response: ServerResponse, app: App) => void = (_seen, response) => void response.end('ok'),
  host = '127.0.0.1',
): Promise<App> {
  let server: Server | null = null;
  let running = 0;
  const app: App = {
    port: 0,
    url: new URL('http://127.0.0.1/'),
    seen: [],
    most: 0,
    async stop() {
      const ending = server;
      server = null;
      if (ending === null) return;
      ending.close();
      ending.closeAllConnections();
      await once(ending, 'close');
    },
    async start() {
      server = createServer((request, response) => {
        running += 1;
        app.most = Math.max(app.most, running);
        response.once('close', () => {
          running -= 1;
        });
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const { method = '', url = '', headers, rawHeaders } = request;
          const seen = { method, url, headers, rawHeaders, body: Buffer.concat(chunks) };
          app.seen.push(seen);
          respond(seen, response, app);
        });
      });
      server.listen(app.port, host);
      await once(server, 'listening');
      const address = server.address();
      assert.ok(isAddress(address));
      app.port = address.port;
      app.url = new URL(`http://${host.includes(':') ? `[${host}]` : host}:${app.port}/hook`);
    },
  };
  await app.start();
  after(() => app.stop());
  return app;
}

function isAddress(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  const app = await openApp();
  await app.stop();
  return app.port;
}

export interface Event {
  id: string;
  type?: string;
  created?: string;
  application?: string;
}

export function eventBody(event: Event): Buffer {
  const application_id = event.application ?? 'app_1';
  return Buffer.from(
    JSON.stringify({
      id: event.id,
      type: event.type ?? 'application.updated',
      created: event.created ?? '2026-07-04T10:00:00Z',
      data: { application_id, object: { id: application_id } },
    }),
  );
}

export interface Sender {
  /** Signs and posts; resolves to the status. */
  send(body: Buffer | Event, more?: { headers?: Record<string, string>; secret?: string; t?: number }): Promise<number>;
}

export function openSender(url: string, connections = 10): Sender {
  const target = new URL(url);
  const pool = new Pool(target.origin, { connections });
  after(() => pool.destroy());
  let count = 0;
  return {
    async send(given, more = {}) {
      const body = Buffer.isBuffer(given) ? given : eventBody(given);
      const t = more.t ?? Math.floor(Date.now() / 1000);
      count += 1;
      const response = await pool.request({
        method: 'POST',
        path: target.pathname,
        headers: {
          'content-type': 'application/json',
          'credicorp-signature': signatureHeader({ secrets: [more.secret ?? SECRET], t, body }),
          'credicorp-delivery': `whd_${count}`,
          ...more.headers,
        },
        body,
      });
      await response.body.dump();
      return response.statusCode;
    },
  };
}

/** Endpoint acts that only remember what was asked of them. */
export function fakeEndpoints(): EndpointApi & { log: string[]; urls: Map<string, string> } {
  const log: string[] = [];
  const urls = new Map<string, string>();
  return {
    log,
    urls,
    async register({ url, events }) {
      const id = `whend_${urls.size + 1}`;
      urls.set(id, url);
      log.push(`register ${events.join(' ')}`);
      return { id, secret: SECRET };
    },
    async unregister(id) {
      log.push(`unregister ${id}`);
    },
  };
}

export interface Listening {
  events: ListenerEvent[];
  url: string;
  /** Resolves to the first event that matches, past ones included; fails after 10 s. */
  until<T extends ListenerEvent['type']>(
    type: T,
    fits?: (event: Extract<ListenerEvent, { type: T }>) => boolean,
  ): Promise<Extract<ListenerEvent, { type: T }>>;
  of<T extends ListenerEvent['type']>(type: T): Extract<ListenerEvent, { type: T }>[];
  /** Resolves once there are `count` events of that type. */
  times(type: ListenerEvent['type'], count: number): Promise<void>;
  close(): Promise<Extract<ListenerEvent, { type: 'closed' }>>;
}

export const quick = { firstMs: 20, longestMs: 100, portPollMs: 20 };

export async function startListening(options: Partial<ListenOptions> = {}): Promise<Listening> {
  const stop = new AbortController();
  const events: ListenerEvent[] = [];
  const waiters = new Set<() => void>();
  const { retry, ...rest } = options;
  const stream = listen({
    store: options.store ?? openInbox(),
    scope: 'local',
    environment: 'local',
    endpoints: fakeEndpoints(),
    signal: stop.signal,
    now: Date.now,
    ticks: () => performance.now(),
    random: Math.random,
    token: () => randomBytes(16).toString('base64url'),
    pid: process.pid,
    processStart: () => 'now',
    record: () => {},
    signing: { current: APP_SECRET, previous: null },
    forward: null,
    retry: { ...quick, ...retry },
    readyMs: 5000,
    ...rest,
  });
  const reading = (async () => {
    for await (const event of stream) {
      events.push(event);
      for (const wake of waiters) wake();
    }
  })();
  const holds = async <T>(look: () => T | null, what: string): Promise<T> => {
    const found = look();
    if (found !== null) return found;
    return new Promise<T>((resolve, reject) => {
      const limit = setTimeout(
        () => finish(() => reject(new Error(`no ${what}: ${JSON.stringify(events.slice(-3))}`))),
        10_000,
      );
      const finish = (act: () => void): void => {
        clearTimeout(limit);
        waiters.delete(wake);
        act();
      };
      const wake = (): void => {
        const now = look();
        if (now !== null) finish(() => resolve(now));
      };
      waiters.add(wake);
      reading.catch((error: Error) => finish(() => reject(error)));
    });
  };
  const of = <T extends ListenerEvent['type']>(type: T): Extract<ListenerEvent, { type: T }>[] =>
    events.filter((event): event is Extract<ListenerEvent, { type: T }> => event.type === type);
  const until: Listening['until'] = (type, fits = () => true) => holds(() => of(type).find(fits) ?? null, type);
  after(async () => {
    stop.abort();
    await reading.catch(() => {});
  });
  const { url } = await until('ready');
  return {
    events,
    url,
    until,
    of,
    times: async (type, count) =>
      void (await holds(() => (of(type).length >= count ? true : null), `${count} × ${type}`)),
    async close() {
      stop.abort();
      await reading;
      return until('closed');
    },
  };
}
