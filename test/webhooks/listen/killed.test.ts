/** What the listener promises survives its own death: answered means stored, stored means delivered. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newStorePath, openApp, openInbox, openSender, SECRET } from '../support/stage.ts';

const DELIVERIES = 500;
const program = fileURLToPath(new URL('../support/listener-program.ts', import.meta.url));

/** Stands for the API's endpoint routes and the keychain. */
async function openDesk(): Promise<{ url: string; endpoints: Map<string, string>; log: string[] }> {
  const endpoints = new Map<string, string>();
  const log: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const { url } = JSON.parse(text || '{}');
      const id = request.method === 'POST' ? `whend_${log.length}` : (request.url ?? '').split('/').at(-1);
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

interface Told {
  type: string;
  url?: string;
  adopted?: boolean;
  leftover?: number;
}

/** A listener process that is started again and again on the same store; `told` is what all of them said. */
function openProgram(args: string[]): {
  told: Told[];
  start(): Promise<string>;
  end(signal: NodeJS.Signals): Promise<void>;
  heard: EventEmitter;
} {
  const told: Told[] = [];
  const heard = new EventEmitter();
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  after(() => end('SIGKILL'));
  return {
    told,
    heard,
    end,
    start: () =>
      new Promise<string>((resolve, reject) => {
        const started = spawn(process.execPath, ['--no-warnings', program, ...args], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        child = started;
        started.once('exit', () => reject(new Error('the listener ended')));
        createInterface({ input: started.stdout }).on('line', (line) => {
          const moment: Told = JSON.parse(line);
          told.push(moment);
          if (moment.type === 'ready') resolve(String(moment.url));
          heard.emit('moment');
        });
      }),
  };
}

test(`killed twice while the app is away: ${DELIVERIES} of ${DELIVERIES} arrive, each once`, async () => {
  const app = await openApp();
  await app.stop();
  const desk = await openDesk();
  const path = newStorePath();
  const listener = openProgram([path, app.url.href, desk.url]);
  const url = await listener.start();
  const sender = openSender(url);

  let acknowledged = 0;
  let restarted: Promise<string> = Promise.resolve(url);
  const restart = async (): Promise<string> => {
    await listener.end('SIGKILL');
    return listener.start();
  };
  const deliver = async (n: number): Promise<void> => {
    // As the real sender does: anything but 2xx, and it comes again.
    for (let tries = 1; (await sender.send({ id: `evt_${n}` }).catch(() => 0)) !== 200; tries += 1) {
      assert.ok(tries < 500, 'the listener came back at its address');
      await restarted;
    }
    acknowledged += 1;
    if (acknowledged === 150 || acknowledged === 330) restarted = restart();
  };
  const queue = Array.from({ length: DELIVERIES }, (_, n) => n);
  const worker = async (): Promise<void> => {
    for (let n = queue.shift(); n !== undefined; n = queue.shift()) await deliver(n);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  assert.equal(await restarted, url, 'the endpoint of the dead listener was taken over, address and all');
  assert.equal(app.seen.length, 0);

  await app.start();
  const of = (type: string): Told[] => listener.told.filter((moment) => moment.type === type);
  while (of('forwarded').length < DELIVERIES) await once(listener.heard, 'moment');
  const ids = app.seen.map((seen) => String(JSON.parse(seen.body.toString()).id));
  assert.equal(ids.length, DELIVERIES);
  assert.equal(new Set(ids).size, DELIVERIES);
  assert.deepEqual(
    of('ready').map((moment) => moment.adopted),
    [false, true, true],
  );
  assert.ok((of('ready')[1]?.leftover ?? 0) >= 150 && (of('ready')[2]?.leftover ?? 0) >= 330);

  await listener.end('SIGTERM');
  assert.equal(desk.endpoints.size, 0, 'no endpoint is left behind');
  const rows = openInbox(path).db.prepare('SELECT state, count(*) AS n FROM inbox_forwards GROUP BY state').all();
  const states = new Map(rows.map((row) => [row['state'], row['n']]));
  assert.equal(states.get('delivered'), DELIVERIES);
  assert.equal(states.get('waiting'), undefined);
});
