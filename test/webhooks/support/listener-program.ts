/** A listener in a separate process that can be killed. Arguments: store file, forward URL, address of the endpoint server. */
import { randomBytes } from 'node:crypto';
import { processStart } from '../../../src/lib/files/process-start.ts';
import { openStore } from '../../../src/lib/store/store.ts';
import { inboxTables } from '../../../src/lib/webhooks/inbox/inbox-tables.ts';
import { listen } from '../../../src/lib/webhooks/listen/listen.ts';

const [path = '', forward = '', desk = ''] = process.argv.slice(2);
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
  record: () => {},
  signing: null,
  forward: new URL(forward),
  retry: { firstMs: 20, longestMs: 100, portPollMs: 20 },
});
for await (const event of events) process.stdout.write(`${JSON.stringify(event)}\n`);
