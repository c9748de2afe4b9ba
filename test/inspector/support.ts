/** An inspector on a real port with its own inbox, and the page's own stream client to follow it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { after } from 'node:test';
import type {
  AttemptEvent,
  ClosedEvent,
  ForwardedEvent,
  InboxEntry,
  ReadyEvent,
  ReceivedEvent,
  RejectedEvent,
} from '../../src/lib/contract/listener-events.ts';
import type { ListRow } from '../../src/lib/inspector/delivery-list.ts';
import { type Inspector, type InspectorOptions, openInspector } from '../../src/lib/inspector/inspector-server.ts';
import { root } from '../support/spawn.ts';

export const TOKEN = 'a-token-nobody-guesses-0123456789';
export const folder = join(root, 'assets', 'inspector');
export const AT = '2026-07-04T10:00:00.000Z';

/** The page's own code, as a browser gets it. */
export async function pageModule<T>(name: string): Promise<T> {
  return (await import(join(folder, name))) as T;
}

export type Follow = (options: {
  token: string;
  onEvent: (event: string, data: unknown) => void;
  onState: (state: string) => void;
  signal: AbortSignal;
  base?: string;
  firstWaitMs?: number;
}) => Promise<void>;

export async function startInspector(more: Partial<InspectorOptions> = {}): Promise<Inspector & { origin: string }> {
  const inspector = await openInspector({
    port: 0,
    token: TOKEN,
    folder,
    environment: 'local',
    inbox: { recent: () => [], find: () => null },
    replay: () => Promise.reject(new Error('not in this test')),
    tolerance: 300,
    known: () => [],
    now: Date.now,
    pauseMs: 1,
    ...more,
  });
  after(() => inspector.close());
  return { ...inspector, origin: new URL(inspector.url).origin };
}

/** Sends a request with exactly these headers; `fetch` would add its own. */
export async function ask(
  origin: string,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string | string[]> } = {},
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  const { port, host } = new URL(origin);
  const outgoing = request({
    ...{ host: '127.0.0.1', port, path, method, setHost: false, agent: false },
    headers: { host, ...headers },
  });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

export const bearer = { authorization: `Bearer ${TOKEN}` };

export async function detail(origin: string, key: string): Promise<Record<string, never>> {
  const { status, text } = await ask(origin, `/deliveries/${key}`, { headers: bearer });
  assert.equal(status, 200, text);
  return JSON.parse(text) as Record<string, never>;
}

function subject(id: number) {
  return {
    inbox_id: id,
    event_id: `evt_${id}`,
    event_type: 'decision.completed',
    delivery_id: `whd_${id}`,
    resource_id: `dec_${id}`,
  };
}

export const TARGET = 'http://127.0.0.1:3000/hook';

export function received(id: number, more: Partial<ReceivedEvent> = {}): ReceivedEvent {
  return { type: 'received', at: AT, ...subject(id), bytes: 2, warnings: [], targets: [TARGET], ...more };
}

export function attempted(id: number, more: Partial<AttemptEvent> = {}): AttemptEvent {
  const outcome = { status: 200, error: null, latency_ms: 12, answer: 'ok', hint: null, chaos: null };
  const first: ForwardedEvent = { type: 'forwarded', at: AT, ...subject(id), target: TARGET, attempt: 1, ...outcome };
  return { ...first, ...more } as AttemptEvent;
}

export function ready(more: Partial<ReadyEvent> = {}): ReadyEvent {
  return {
    ...{ type: 'ready', at: AT, endpoint_id: 'whend_1', url: `${TARGET}/in`, port: 3000, events: ['*'], targets: [] },
    ...{ leftover: 0, unrouted: [], adopted: false, replaces: null, self_test_ms: 1, unverified: false, chaos: null },
    ...{ signed_by: 'listener', give_up_after_ms: null },
    ...more,
  };
}

export function closed(): ClosedEvent {
  const counts = { received: 0, forwarded: 0, rejected: 0, duplicates: 0, failed: 0, parked: 0, waiting: 0 };
  return { type: 'closed', at: AT, ...counts, endpoint_removed: true, detail: null };
}

export function rejected(more: Partial<RejectedEvent> = {}): RejectedEvent {
  const details = { also: [], skew_seconds: null, detail: null, meaning: 'm', next: 'n' };
  return {
    type: 'rejected',
    at: AT,
    status: 400,
    delivery_id: 'whd_r',
    bytes: 5,
    cause: 'wrong_secret',
    ...details,
    ...more,
  };
}

export function kept(id: number): InboxEntry {
  const forward = { target: TARGET, state: 'failed', attempts: 3, updated_at: AT, latency_ms: 5 } as const;
  const answer = { status: 500, error: null, answer: 'no', signature: null, reason: null };
  return { ...subject(id), received_at: AT, bytes: 2, verdict: 'valid', forwards: [{ ...forward, ...answer }] };
}

/** Follows the stream as the page does. */
export async function openPage(origin: string, more: { token?: string } = {}) {
  const { follow } = await pageModule<{ follow: Follow }>('stream.js');
  const leave = new AbortController();
  const rows = new Map<string, ListRow>();
  const states: string[] = [];
  const events: [event: string, data: unknown][] = [];
  let check = (): void => {};
  const over = follow({
    ...{ token: more.token ?? TOKEN, base: origin, signal: leave.signal, firstWaitMs: 5 },
    onEvent(event, data) {
      events.push([event, data]);
      if (event === 'hello' && (data as { fresh: boolean }).fresh) rows.clear();
      if (event === 'rows') for (const row of data as ListRow[]) rows.set(row.key, row);
      check();
    },
    onState(state) {
      states.push(state);
      check();
    },
  });
  after(() => leave.abort());
  return {
    rows,
    states,
    events,
    over,
    leave: () => leave.abort(),
    /** Resolves as soon as the condition holds. */
    until: (holds: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        check = () => {
          if (holds()) resolve();
        };
        check();
      }),
  };
}
