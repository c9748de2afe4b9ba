/** A world beside the user's, in which the tour runs the real commands. */
import { join } from 'node:path';
import { isRecord } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import type { Paint } from '../output/terminal-text.ts';
import type { Context } from '../context.ts';
import { type Inner, innerContext, Memory } from '../inner.ts';
import { run } from '../program.ts';

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
    const { context, detach } = this.#child(out, errors, tidying);
    const status = await run([...argv, '--json'], context);
    detach();
    const document = out.documents()[0] ?? {};
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
    let told = 0;
    const out = new Memory((memory) => {
      for (const moment of memory.documents().slice(told)) {
        told += 1;
        if (moment['type'] === 'ready') resolve();
        if (SHOWN_MOMENTS.has(String(moment['type'])))
          this.#say(
            `  ${this.#paint.good(String(moment['type']).padEnd(9))} ${String(moment['event_type'] ?? moment['url'] ?? '')}`,
          );
      }
    });
    const { context, detach, interrupt } = this.#child(out, errors, true);
    const ended = run([...argv, '--json'], context).finally(detach);
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
    const { context, detach } = this.#child(out, new Memory(), false);
    await run([...argv, '--json'], context);
    detach();
    const entries = out.documents();
    for (const entry of entries.filter(({ source }) => source !== 'sandbox').slice(-8)) {
      this.#say(
        `  ${['source', 'method', 'path', 'status', 'request_id'].map((name) => String(entry[name] ?? '')).join(' ')}`,
      );
    }
    return entries.length;
  }

  /** A world beside the user's: other folders, no credentials of theirs. Stops with the tour unless it tidies up. */
  #child(stdout: Memory, stderr: Memory, apart: boolean): Inner {
    const env = Object.fromEntries(
      Object.entries(this.#context.env).filter(([name]) => !/^(CC|CREDICORP)_/.test(name)),
    );
    const paths = { config: join(this.#folder, 'config'), state: join(this.#folder, 'state') };
    const changes = {
      ...{ paths, cwd: this.#folder, home: this.#folder },
      env: { ...env, CREDICORP_CONFIG_DIR: paths.config, CREDICORP_STATE_DIR: paths.state },
    };
    return innerContext(this.#context, { stdout, stderr }, { follow: !apart, changes });
  }
}

const SHOWN = ['base_url', 'profile', 'id', 'status', 'outcome', 'url'];
const SHOWN_MOMENTS = new Set(['ready', 'forwarded', 'rejected', 'failed']);

/** The step's own error document becomes the tour's failure. */
function failureOf(errors: Memory, otherwise: string): Failure {
  const error = errors.documents().at(-1)?.['error'];
  if (!isRecord(error)) return new Failure('unavailable', otherwise);
  const next = typeof error['next'] === 'string' ? { next: error['next'] } : {};
  return new Failure('unavailable', String(error['message'] ?? otherwise), next);
}
