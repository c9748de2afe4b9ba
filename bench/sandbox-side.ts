/** The two programs that `sandbox.ts` compares, each as a process of its own: `bare` is a hono app that answers a constant, `ours` the sandbox. */
import { Hono } from 'hono';
import { serveSandbox } from '../src/lib/sandbox/sandbox-server.ts';

const [side = ''] = process.argv.slice(2);
const emit = (message: object): void => void process.send?.(message);
process.once('SIGINT', () => process.exit(0));
process.on('message', () => emit({ rss: process.memoryUsage.rss() }));

/** hono's own adapter, which only this comparison needs. */
interface Adapter {
  serve(
    options: { fetch: Hono['fetch']; hostname: string; port: number },
    listening: (address: { port: number }) => void,
  ): void;
}

async function loadAdapter(): Promise<Adapter> {
  const name = '@hono/node-server';
  return import(name);
}

if (side === 'bare') {
  const constant = JSON.stringify({ id: 'app_8Kd2c9Qm', status: 'created', note: 'x'.repeat(500) });
  const headers = { 'Content-Type': 'application/json' };
  const app = new Hono();
  app.get('/partner/v1/applications/:id', (c) => c.body(constant, 200, headers));
  app.post('/partner/v1/applications', async (c) => {
    await c.req.json();
    return c.body(constant, 201, headers);
  });
  const { serve: listen } = await loadAdapter();
  listen({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => emit({ url: `http://127.0.0.1:${port}` }));
} else {
  const { url } = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    version: 'bench',
    seed: 'bench',
    tier: 'scale',
    rateLimit: false,
    autoSubmit: side !== 'still',
    now: Date.now,
  });
  emit({ url });
}
