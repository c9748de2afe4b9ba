/** The two programs that `sandbox.ts` compares, each as a process of its own: `bare` is a hono app that answers a constant, `ours` the sandbox. */
import { createServer } from 'node:http';
import { Hono } from 'hono';
import { serve } from '../src/lib/sandbox/server.ts';

const [side = ''] = process.argv.slice(2);
const tell = (message: object): void => void process.send?.(message);
process.once('SIGINT', () => process.exit(0));
process.on('message', () => tell({ rss: process.memoryUsage.rss() }));

if (side === 'bare') {
  const constant = JSON.stringify({ id: 'app_8Kd2c9Qm', status: 'created', note: 'x'.repeat(500) });
  const headers = { 'Content-Type': 'application/json' };
  const app = new Hono();
  app.get('/partner/v1/applications/:id', (c) => c.body(constant, 200, headers));
  app.post('/partner/v1/applications', async (c) => {
    await c.req.json();
    return c.body(constant, 201, headers);
  });
  const server = createServer(async (request, response) => {
    const init = { method: request.method ?? 'GET', headers: request.headers as Record<string, string> };
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length > 0 ? { body: Buffer.concat(chunks) } : {};
    const answer = await app.fetch(new Request(`http://127.0.0.1${request.url ?? '/'}`, { ...init, ...body }));
    const text = await answer.text();
    response.writeHead(answer.status, {
      ...Object.fromEntries(answer.headers),
      'Content-Length': Buffer.byteLength(text),
    });
    response.end(text);
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) tell({ url: `http://127.0.0.1:${address.port}` });
  });
} else {
  const { url } = await serve({
    host: '127.0.0.1',
    port: 0,
    version: 'bench',
    seed: 'bench',
    tier: 'scale',
    rateLimit: false,
    autoSubmit: side !== 'still',
    now: Date.now,
  });
  tell({ url });
}
