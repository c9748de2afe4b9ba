/** The two programs that `proxy.ts` compares, each as a process of its own: `bare` passes on and keeps nothing, `ours` is the recording proxy. */
import { Agent, createServer, request as send } from 'node:http';
import { JOURNAL } from '../src/lib/journal/entries.ts';
import { createJournal } from '../src/lib/journal/record.ts';
import { openProxy } from '../src/lib/proxy/proxy.ts';
import { openStore } from '../src/lib/store/store.ts';

const [side = '', target = '', path = ''] = process.argv.slice(2);
const tell = (message: object): void => void process.send?.(message);
process.once('SIGINT', () => process.exit(0));

if (side === 'bare') {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port, host } = new URL(target);
  const server = createServer((request, response) => {
    const headers = { ...request.headers, host };
    const onward = send({ hostname, port, agent, method: request.method, path: request.url, headers });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) tell({ url: `http://127.0.0.1:${address.port}` });
  });
} else {
  const store = openStore({ path, now: Date.now, tables: [JOURNAL] });
  const journal = createJournal({ open: () => store, now: Date.now, secrets: () => ['csk_sbx_bench_secret'] });
  const proxy = await openProxy({
    ...{ port: 0, target, environment: 'local', auth: null, timeoutMs: 10_000 },
    record: journal.write,
    now: Date.now,
    ticks: () => performance.now(),
  });
  tell({ url: proxy.url });
}
