/** The guided tour: the real commands, run by the real frame, in a world of their own. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isRecord } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import type { Paint } from '../output/terminal-text.ts';
import type { Context } from '../context.ts';
import { type Listener, World } from './tour-world.ts';

/** What `demo --json` prints. */
export interface Report {
  application_id: string;
  decision: string;
  payment_link_url: string;
  /** Types of the events that reached the local app, in order of arrival. */
  webhooks: string[];
  /** Entries in the log. */
  calls: number;
  took_ms: number;
}

const AMOUNT = ['--amount', '25000', '--term', '12'];
/** A run of application.submitted, three application.updated and decision.completed (sandbox.md#lifecycle-timings). */
const EXPECTED = 5;
const PATIENCE_MS = 10_000;

/** @throws Failure when a step ends otherwise than it should; what was started is stopped all the same. */
export async function tour(
  context: Context,
  folder: string,
  say: (line: string) => void,
  paint: Paint,
): Promise<Report> {
  const began = context.now();
  const world = new World(context, folder, say, paint);
  const app = await startApp();
  let listener: Listener | null = null;
  try {
    await world.step('start the embedded sandbox', ['sandbox', 'start', '--background', '--port', '0']);
    await world.step('sign in', ['login', '--env', 'local']);
    listener = await world.listen(`127.0.0.1:${app.port}/hook`);
    const application = await world.step('create an application', [
      'apps',
      'create',
      '--company',
      '16093826',
      ...AMOUNT,
    ]);
    const id = String(application['id']);
    const decision = await world.step('wait for the decision', ['decisions', 'get', id, '--wait', '--exit-status']);
    const link = await world.step('make a payment link', [
      'payments',
      'link',
      '--amount',
      '450',
      '--reference',
      'INV-5512',
      '--application',
      id,
    ]);
    await app.got(EXPECTED, context.signal);
    await listener.stop();
    const calls = await world.log();
    return {
      application_id: id,
      decision: String(decision['outcome']),
      payment_link_url: String(link['url']),
      webhooks: app.types,
      calls,
      took_ms: Math.round(context.now() - began),
    };
  } finally {
    await listener?.stop();
    // Also when starting was interrupted: what may have been started is stopped.
    await world.step('stop what was started', ['sandbox', 'stop'], true);
    app.close();
  }
}

interface App {
  port: number;
  types: string[];
  /** Resolves when so many events have arrived. @throws Failure after 10 s */
  got(count: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** The small local app of the tour: takes whatever is posted and answers 200. */
async function startApp(): Promise<App> {
  const types: string[] = [];
  const watchers = new Set<() => void>();
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const event: unknown = JSON.parse(Buffer.concat(chunks).toString() || '{}');
      types.push(isRecord(event) ? String(event['type']) : 'unknown');
      response.writeHead(200).end();
      for (const look of watchers) look();
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    types,
    got: (count, signal) => arrived(types, count, watchers, signal),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function arrived(
  types: readonly string[],
  count: number,
  watchers: Set<() => void>,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      clearTimeout(limit);
      watchers.delete(look);
      signal.removeEventListener('abort', stopped);
      act();
    };
    const look = (): void => {
      if (types.length >= count) end(resolve);
    };
    const stopped = (): void => end(() => reject(new Failure('interrupted', 'stopped')));
    const limit = setTimeout(
      () =>
        end(() =>
          reject(
            new Failure('unavailable', `only ${types.length} of ${count} webhooks arrived in ${PATIENCE_MS / 1000} s`),
          ),
        ),
      PATIENCE_MS,
    );
    watchers.add(look);
    signal.addEventListener('abort', stopped, { once: true });
    look();
  });
}
