/** A listener run by its own command in this process, read event by event; and an app for it to forward to. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { run } from '../../src/lib/cli/program.ts';
import type { ListenerEvent } from '../../src/lib/contract/listener-events.ts';
import { type World, worldOf } from './world.ts';

export interface Receiving {
  events: ListenerEvent[];
  /** The next event of this type that was not returned before. */
  next<T extends ListenerEvent['type']>(type: T): Promise<Extract<ListenerEvent, { type: T }>>;
  stderr(): string;
  /** Ctrl-C. @returns the exit status */
  stop(): Promise<number>;
  /** Its end, if it ends by itself. */
  ended: Promise<number>;
}

/** `webhooks listen … --json` until `stop`. */
export function receive(world: World, ...flags: string[]): Receiving {
  const { context, said } = worldOf(world);
  const events: ListenerEvent[] = [];
  const taken = new Set<ListenerEvent>();
  let look: () => void = () => undefined;
  let rest = '';
  const stdout = {
    on: () => stdout,
    write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean {
      const lines = (rest + (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) events.push(JSON.parse(line) as ListenerEvent);
      look();
      if (callback) setImmediate(callback);
      return true;
    },
  };
  const ended = run(['webhooks', 'listen', '--json', ...flags], { ...context, stdout });
  let over = false;
  void ended.then(() => {
    over = true;
    look();
  });
  return {
    events,
    ended,
    stderr: () => said().stderr,
    next: <T extends ListenerEvent['type']>(type: T) =>
      new Promise<Extract<ListenerEvent, { type: T }>>((resolve, reject) => {
        const before = look;
        look = () => {
          before();
          const found = events.find((event) => event.type === type && !taken.has(event));
          if (found !== undefined) {
            taken.add(found);
            look = before;
            resolve(found as Extract<ListenerEvent, { type: T }>);
          } else if (over) {
            look = before;
            reject(new Error(`ended without ${type}: ${said().stderr}`));
          }
        };
        look();
      }),
    stop: () => {
      context.interrupt('SIGINT');
      return ended;
    },
  };
}

export interface SmallApp {
  url: string;
  port: number;
  seen: { headers: IncomingHttpHeaders; body: Buffer }[];
  close(): Promise<void>;
}

/** Answers what it is told to, 200 by default. */
export async function smallApp(
  answer: (seen: SmallApp['seen'][number]) => number = () => 200,
  port = 0,
): Promise<SmallApp> {
  const seen: SmallApp['seen'] = [];
  const server: Server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const one = { headers: incoming.headers, body: Buffer.concat(chunks) };
      seen.push(one);
      response.writeHead(answer(one)).end('taken');
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}/hook`,
    port: bound,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Posts raw bytes with exactly these headers. @returns the status */
export async function post(url: string, headers: Record<string, string>, body: Uint8Array): Promise<number> {
  const outgoing = request(url, { method: 'POST', headers: { ...headers, 'content-length': body.length } });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}
