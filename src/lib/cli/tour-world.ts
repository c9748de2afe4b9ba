/** A world beside the user's, in which the tour runs the real commands. */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isRecord } from '../contract/json.ts';
import { Failure } from '../failure.ts';
import type { Paint } from './colour.ts';
import type { Context, Interruption, Output } from './context.ts';
import { run } from './program.ts';

export interface Listener {
  stop(): Promise<void>;
}

export class World {
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

  /** Runs one command and shows it as typed, with the fields that matter of what it said. */
  async step(what: string, argv: string[], tidying = false): Promise<Record<string, unknown>> {
    if (!tidying && this.#context.signal.aborted) throw new Failure('interrupted', 'stopped');
    this.#say(`\n${this.#paint.bold(what)}\n${this.#paint.dim('$')} credicorp ${argv.join(' ')}`);
    const out = new Memory();
    const errors = new Memory();
    const { context, stop } = this.#child(out, errors, tidying);
    const status = await run([...argv, '--json'], context);
    stop();
    const document = out.lines()[0] ?? {};
    if (status !== 0) throw failureOf(errors, `credicorp ${argv[0]} ended with ${status}`);
    for (const name of SHOWN)
      if (typeof document[name] === 'string') this.#say(`  ${name.padEnd(13)} ${String(document[name])}`);
    return document;
  }

  /** Starts `webhooks listen` and waits until it is ready. */
  async listen(target: string): Promise<Listener> {
    const argv = ['webhooks', 'listen', '--forward', target];
    this.#say(`\n${this.#paint.bold('listen for webhooks')}\n${this.#paint.dim('$')} credicorp ${argv.join(' ')}`);
    const errors = new Memory();
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const out = new Memory((moment) => {
      if (moment['type'] === 'ready') resolve();
      if (SHOWN_MOMENTS.has(String(moment['type'])))
        this.#say(
          `  ${this.#paint.good(String(moment['type']).padEnd(9))} ${String(moment['event_type'] ?? moment['url'] ?? '')}`,
        );
    });
    const { context, stop, interrupt } = this.#child(out, errors, true);
    const ended = run([...argv, '--json'], context).finally(stop);
    await Promise.race([
      ready,
      ended.then((status) => Promise.reject(failureOf(errors, `the listener ended with ${status}`))),
    ]);
    return {
      stop: async () => {
        interrupt('SIGINT');
        await ended;
      },
    };
  }

  /** How many entries the log has; shows the latest. */
  async log(): Promise<number> {
    const argv = ['logs', 'tail', '--no-follow', '--since', '5m'];
    this.#say(`\n${this.#paint.bold('see the calls')}\n${this.#paint.dim('$')} credicorp ${argv.join(' ')}`);
    const out = new Memory();
    const { context, stop } = this.#child(out, new Memory(), false);
    await run([...argv, '--json'], context);
    stop();
    const entries = out.lines();
    for (const entry of entries.filter(({ source }) => source !== 'sandbox').slice(-8)) {
      this.#say(
        `  ${['source', 'method', 'path', 'status', 'request_id'].map((name) => String(entry[name] ?? '')).join(' ')}`,
      );
    }
    return entries.length;
  }

  /** A world beside the user's: other folders, other streams, no credentials of theirs. Stops with the tour unless it tidies up. */
  #child(
    stdout: Memory,
    stderr: Memory,
    apart: boolean,
  ): { context: Context; stop: () => void; interrupt: (why: Interruption) => void } {
    const controller = new AbortController();
    const interrupt = (why: Interruption): void => controller.abort(why);
    const follow = (): void => controller.abort(this.#context.signal.reason);
    if (!apart) this.#context.signal.addEventListener('abort', follow, { once: true });
    const env = Object.fromEntries(
      Object.entries(this.#context.env).filter(([name]) => !/^(CC|CREDICORP)_/.test(name)),
    );
    const paths = { config: join(this.#folder, 'config'), state: join(this.#folder, 'state') };
    const context: Context = {
      ...this.#context,
      ...{ stdout, stderr, paths, interrupt, signal: controller.signal, cwd: this.#folder, home: this.#folder },
      env: { ...env, CREDICORP_CONFIG_DIR: paths.config, CREDICORP_STATE_DIR: paths.state },
      stdin: Object.assign(Readable.from([]), { isTTY: false }),
    };
    return { context, interrupt, stop: () => this.#context.signal.removeEventListener('abort', follow) };
  }
}

const SHOWN = ['base_url', 'profile', 'id', 'status', 'outcome', 'url'];
const SHOWN_MOMENTS = new Set(['ready', 'forwarded', 'rejected', 'failed']);

/** Keeps what a command writes; complete JSON lines are handed on as they come. */
class Memory implements Output {
  readonly isTTY = false;
  readonly #told: ((document: Record<string, unknown>) => void) | undefined;
  #text = '';
  #read = 0;

  constructor(told?: (document: Record<string, unknown>) => void) {
    this.#told = told;
  }

  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean {
    this.#text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    if (this.#told) {
      const all = this.lines();
      for (const document of all.slice(this.#read)) this.#told(document);
      this.#read = all.length;
    }
    if (callback) setImmediate(callback);
    return true;
  }

  on(): this {
    return this;
  }

  lines(): Record<string, unknown>[] {
    return this.#text.split('\n').flatMap((line) => {
      try {
        const value: unknown = JSON.parse(line);
        return isRecord(value) ? [value] : [];
      } catch {
        return [];
      }
    });
  }
}

/** The step's own error document becomes the tour's failure. */
function failureOf(errors: Memory, otherwise: string): Failure {
  const error = errors.lines().at(-1)?.['error'];
  if (!isRecord(error)) return new Failure('unavailable', otherwise);
  const next = typeof error['next'] === 'string' ? { next: error['next'] } : {};
  return new Failure('unavailable', String(error['message'] ?? otherwise), next);
}
