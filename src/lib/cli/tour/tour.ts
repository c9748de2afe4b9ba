/** The guided tour of `demo`: runs the real commands in folders of its own and shows them as typed. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { isRecord } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import type { Context } from '../context.ts';
import { CapturedOutput, type InProcessRun, runInProcess } from '../in-process-run.ts';
import type { Paint } from '../output/terminal-text.ts';

/** What `demo --json` prints. */
export interface TourReport {
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
const EXPECTED_EVENTS = 5;
const TIMEOUT_MS = 10_000;

/** @throws Failure when a step ends otherwise than it should; what was started is stopped all the same. */
export async function tour(
  context: Context,
  folder: string,
  say: (line: string) => void,
  paint: Paint,
): Promise<TourReport> {
  const began = context.now();
  const stage = new Stage(context, folder, say, paint);
  const app = await startApp();
  let listener: Listener | null = null;
  try {
    await stage.step('start the embedded sandbox', ['sandbox', 'start', '--background', '--port', '0']);
    await stage.step('sign in', ['login', '--env', 'local']);
    listener = await stage.listen(`127.0.0.1:${app.port}/hook`);
    const application = await stage.step('create an application', [
      'apps',
      'create',
      '--company',
      '16093826',
      ...AMOUNT,
    ]);
    const id = String(application['id']);
    const decision = await stage.step('wait for the decision', ['decisions', 'get', id, '--wait', '--exit-status']);
    const link = await stage.step('make a payment link', [
      'payments',
      'link',
      '--amount',
      '450',
      '--reference',
      'INV-5512',
      '--application',
      id,
    ]);
    await app.received(EXPECTED_EVENTS, context.signal);
    await listener.stop();
    const calls = await stage.log();
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
    await stage.step('stop what was started', ['sandbox', 'stop'], true);
    app.close();
  }
}

interface App {
  port: number;
  types: string[];
  /** Resolves when `count` events have arrived. @throws Failure after 10 s */
  received(count: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** The tour's local app: takes whatever is posted and answers 200. */
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
      for (const check of watchers) check();
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    types,
    received: (count, signal) => arrived(types, count, watchers, signal),
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
      watchers.delete(check);
      signal.removeEventListener('abort', stopped);
      act();
    };
    const check = (): void => {
      if (types.length >= count) end(resolve);
    };
    const stopped = (): void => end(() => reject(new Failure('interrupted', 'stopped')));
    const limit = setTimeout(
      () =>
        end(() =>
          reject(
            new Failure('unavailable', `only ${types.length} of ${count} webhooks arrived in ${TIMEOUT_MS / 1000} s`),
          ),
        ),
      TIMEOUT_MS,
    );
    watchers.add(check);
    signal.addEventListener('abort', stopped, { once: true });
    check();
  });
}

interface Listener {
  stop(): Promise<void>;
}

/** Runs the tour's commands with folders and an environment of their own, and shows each as typed. */
class Stage {
  readonly #context: Context;
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #paint: Paint;

  constructor(context: Context, folder: string, say: (line: string) => void, paint: Paint) {
    this.#context = context;
    this.#folder = folder;
    this.#say = say;
    this.#paint = paint;
  }

  /** Runs one command and shows the fields that matter of its result. @param ignoreInterrupt for tidying up */
  async step(title: string, argv: string[], ignoreInterrupt = false): Promise<Record<string, unknown>> {
    if (!ignoreInterrupt && this.#context.signal.aborted) throw new Failure('interrupted', 'stopped');
    this.#announce(title, argv);
    const [stdout, stderr] = [new CapturedOutput(), new CapturedOutput()];
    const status = await this.#run(argv, stdout, stderr, ignoreInterrupt).ended;
    const document = stdout.documents()[0] ?? {};
    if (status !== 0) throw failureOf(stderr, `credicorp ${argv[0]} ended with ${status}`);
    for (const name of SHOWN_MEMBERS)
      if (typeof document[name] === 'string') this.#say(`  ${name.padEnd(13)} ${String(document[name])}`);
    return document;
  }

  /** Starts `webhooks listen` and waits until it is ready. */
  async listen(target: string): Promise<Listener> {
    const argv = ['webhooks', 'listen', '--forward', target];
    this.#announce('listen for webhooks', argv);
    const stderr = new CapturedOutput();
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    let shown = 0;
    const stdout = new CapturedOutput((output) => {
      for (const event of output.documents().slice(shown)) {
        shown += 1;
        if (event['type'] === 'ready') resolve();
        if (SHOWN_EVENTS.has(String(event['type'])))
          this.#say(
            `  ${this.#paint.good(String(event['type']).padEnd(9))} ${String(event['event_type'] ?? event['url'] ?? '')}`,
          );
      }
    });
    const { ended, interrupt } = this.#run(argv, stdout, stderr, true);
    await Promise.race([
      ready,
      ended.then((status) => Promise.reject(failureOf(stderr, `the listener ended with ${status}`))),
    ]);
    return {
      stop: async () => {
        interrupt('SIGINT');
        await ended;
      },
    };
  }

  /** Shows the latest log entries. @returns how many there are */
  async log(): Promise<number> {
    const argv = ['logs', 'tail', '--no-follow', '--since', '5m'];
    this.#announce('see the calls', argv);
    const stdout = new CapturedOutput();
    await this.#run(argv, stdout, new CapturedOutput(), false).ended;
    const entries = stdout.documents();
    for (const entry of entries.filter(({ source }) => source !== 'sandbox').slice(-8)) {
      this.#say(
        `  ${['source', 'method', 'path', 'status', 'request_id'].map((name) => String(entry[name] ?? '')).join(' ')}`,
      );
    }
    return entries.length;
  }

  #announce(title: string, argv: readonly string[]): void {
    this.#say(`\n${this.#paint.bold(title)}\n${this.#paint.dim('$')} credicorp ${argv.join(' ')}`);
  }

  /** With none of the user's folders and credentials. */
  #run(argv: string[], stdout: CapturedOutput, stderr: CapturedOutput, ignoreInterrupt: boolean): InProcessRun {
    const env = Object.fromEntries(
      Object.entries(this.#context.env).filter(([name]) => !/^(CC|CREDICORP)_/.test(name)),
    );
    const paths = { config: join(this.#folder, 'config'), state: join(this.#folder, 'state') };
    const changes = {
      ...{ paths, cwd: this.#folder, home: this.#folder },
      env: { ...env, CREDICORP_CONFIG_DIR: paths.config, CREDICORP_STATE_DIR: paths.state },
    };
    return runInProcess([...argv, '--json'], this.#context, { stdout, stderr, ignoreInterrupt, changes });
  }
}

const SHOWN_MEMBERS = ['base_url', 'profile', 'id', 'status', 'outcome', 'url'];
const SHOWN_EVENTS = new Set(['ready', 'forwarded', 'rejected', 'failed']);

/** A step's own error document becomes the tour's failure. */
function failureOf(stderr: CapturedOutput, otherwise: string): Failure {
  const error = stderr.documents().at(-1)?.['error'];
  if (!isRecord(error)) return new Failure('unavailable', otherwise);
  const next = typeof error['next'] === 'string' ? { next: error['next'] } : {};
  return new Failure('unavailable', String(error['message'] ?? otherwise), next);
}
