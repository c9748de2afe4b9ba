/** The two programs that `webhooks.ts` compares, each as a process of its own: `bare` passes bodies on and keeps nothing, `ours` is the listener. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { openStore } from '../src/lib/store/store.ts';
import { inboxTables } from '../src/lib/webhooks/inbox/inbox-tables.ts';
import { listen } from '../src/lib/webhooks/listen/listen.ts';

const [side = '', forward = '', path = '', secret = ''] = process.argv.slice(2);
const target = new URL(forward);
const tell = (message: object): void => void process.send?.(message);
process.on('SIGINT', () => undefined);
process.on('message', () => tell({ rss: process.memoryUsage.rss() }));

if (side === 'bare') {
  const pool = new Pool(target.origin, { connections: 8 });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const { host: _host, connection: _connection, ...headers } = request.headers;
      const body = Buffer.concat(chunks);
      const answer = await pool.request({ method: 'POST', path: target.pathname, headers, body });
      response.writeHead(answer.statusCode).end(Buffer.from(await answer.body.arrayBuffer()));
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) tell({ url: `http://127.0.0.1:${address.port}/` });
  });
} else {
  const events = listen({
    store: openStore({ path, now: Date.now, tables: [inboxTables], maxBytes: 64 * 1024 * 1024 }),
    scope: 'bench',
    environment: null,
    endpoints: { register: async () => ({ id: 'whend_bench', secret }), unregister: async () => {} },
    signal: new AbortController().signal,
    now: Date.now,
    ticks: () => performance.now(),
    random: Math.random,
    token: () => randomBytes(16).toString('base64url'),
    pid: process.pid,
    processStart: () => 'now',
    record: () => {},
    signing: { current: secret, previous: null },
    forward: target,
  });
  for await (const event of events) if (event.type === 'ready') tell({ url: event.url });
}
