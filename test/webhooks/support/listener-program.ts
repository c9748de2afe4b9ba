/** A listener in a separate process that can be killed. Arguments: store file, forward URL, address of the endpoint server, and optionally a script that is its tunnel. */
import { randomBytes } from 'node:crypto';
import { processStart } from '../../../src/lib/files/process-start.ts';
import { openStore } from '../../../src/lib/store/store.ts';
import { inboxTables } from '../../../src/lib/webhooks/inbox/inbox-tables.ts';
import { listen } from '../../../src/lib/webhooks/listen/listen.ts';
import { openProgram, type Tunnel } from '../../../src/lib/webhooks/tunnels/tunnel-programs.ts';

const [path = '', forward = '', desk = '', tunnel] = process.argv.slice(2);
const ask = async (method: string, route: string, body?: object): Promise<{ id: string; secret: string }> => {
  const headers = { 'content-type': 'application/json' };
  const content = body === undefined ? {} : { headers, body: JSON.stringify(body) };
  const response = await fetch(desk + route, { method, ...content });
  if (!response.ok) throw new Error(`desk answered ${response.status}`);
  const answer: unknown = await response.json();
  if (typeof answer !== 'object' || answer === null || !('id' in answer) || !('secret' in answer))
    throw new Error('desk');
  return { id: String(answer.id), secret: String(answer.secret) };
};

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Prints the loopback address of the port itself. */
const tunnelOf = (script: string): Tunnel => ({
  via: 'ssh',
  open: (port, signal, _earlier, onStart) =>
    openProgram(
      {
        ...{ via: 'ssh', command: process.execPath, args: [script, String(port)], env: process.env, install: '' },
        readAddress: (line) => (line.startsWith('http') ? line : null),
      },
      signal,
      onStart,
    ),
});

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const events = listen({
  store: openStore({ path, now: Date.now, tables: [inboxTables] }),
  scope: 'local',
  environment: 'local',
  endpoints: {
    register: (input) => ask('POST', '/endpoints', input),
    unregister: async (id) => void (await ask('DELETE', `/endpoints/${id}`)),
    recall: async (id) => (await ask('GET', `/secrets/${id}`)).secret,
    update: async (id, change) => void (await ask('PATCH', `/endpoints/${id}`, change)),
  },
  signal: stop.signal,
  now: Date.now,
  random: Math.random,
  token: () => randomBytes(16).toString('base64url'),
  pid: process.pid,
  processStart: (pid) => processStart(pid, process.platform, exists),
  endProcess: (pid) => void process.kill(pid),
  ...(tunnel === undefined ? {} : { tunnel: tunnelOf(tunnel) }),
  record: () => {},
  signing: null,
  forward: new URL(forward),
  retry: { firstMs: 20, longestMs: 100, portPollMs: 20 },
});
for await (const event of events) process.stdout.write(`${JSON.stringify(event)}\n`);
