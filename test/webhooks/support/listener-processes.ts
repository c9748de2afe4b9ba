/** Listeners in separate processes that can be killed, stopped and restarted, and the endpoint routes they share. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SECRET } from './stage.ts';

const program = fileURLToPath(new URL('listener-program.ts', import.meta.url));

/** A server in place of the API's endpoint routes and the keychain. */
export async function openDesk(): Promise<{ url: string; endpoints: Map<string, string>; log: string[] }> {
  const endpoints = new Map<string, string>();
  const log: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const { url } = JSON.parse(text || '{}');
      const id = request.method === 'POST' ? `whend_${log.length}` : (request.url ?? '').split('/').at(-1);
      if (request.method === 'GET' && request.url?.startsWith('/endpoints/') === true && !endpoints.has(String(id))) {
        return void response.writeHead(404).end();
      }
      log.push(`${request.method} ${id}`);
      if (request.method === 'DELETE') endpoints.delete(String(id));
      else if (typeof url === 'string') endpoints.set(String(id), url);
      response.end(JSON.stringify({ id, secret: SECRET }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { url: `http://127.0.0.1:${address.port}`, endpoints, log };
}

export interface ListenerLine {
  type: string;
  url?: string;
  endpoint_id?: string;
  adopted?: boolean;
  leftover?: number;
}

/** A listener process that can be started several times on the same store; `events` has the events of all of them. */
export function openProgram(args: string[]): {
  events: ListenerLine[];
  start(): Promise<string>;
  end(signal: NodeJS.Signals): Promise<void>;
  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves once there are `count` events of that type. */
  times(type: string, count: number): Promise<void>;
  emitter: EventEmitter;
} {
  const events: ListenerLine[] = [];
  const emitter = new EventEmitter();
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  after(() => end('SIGKILL'));
  return {
    events,
    emitter,
    end,
    signal: (signal) => void child?.kill(signal),
    async times(type, count) {
      while (events.filter((event) => event.type === type).length < count) await once(emitter, 'event');
    },
    start: () =>
      new Promise<string>((resolve, reject) => {
        const started = spawn(process.execPath, ['--no-warnings', program, ...args], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        child = started;
        started.once('exit', () => reject(new Error('the listener ended')));
        createInterface({ input: started.stdout }).on('line', (line) => {
          const event: ListenerLine = JSON.parse(line);
          events.push(event);
          if (event.type === 'ready') resolve(String(event.url));
          emitter.emit('event');
        });
      }),
  };
}
