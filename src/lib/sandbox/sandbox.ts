/** The sandbox as a value with `fetch` (sandbox.md#start-up): the partner API, its webhooks, its clock and its faults, without a port. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordExchange } from '../contract/exchange.ts';
import type { TierName } from '../contract/tiers.ts';
import { Failure } from '../failure.ts';
import { Dispatcher } from './deliveries/dispatcher.ts';
import { createSender, type Post } from './deliveries/sender.ts';
import { answerOf, incomingOf } from './fetch.ts';
import { type SandboxAnswer, DROPPED, type SandboxRequest, type Outgoing } from './http/call.ts';
import type { MaybePromise } from './http/maybe-promise.ts';
import { createStepRunner } from './lifecycle/due-steps.ts';
import { createPipeline, type Pipeline, unreadable } from './requests/pipeline.ts';
import { createRequestLog, type RequestLog } from './requests/request-log.ts';
import { createRouter } from './requests/router.ts';
import { routesOf } from './route-table.ts';
import { withoutCredicorpHeaders } from './routes/acountpay.ts';
import { Companies } from './state/companies.ts';
import type { ReservedCompany } from './state/objects.ts';
import { type DataFile, openDataFile } from './state/data-file.ts';
import reserved from './state/reserved-companies.json' with { type: 'json' };
import { clockAndCounters, restore } from './state/saved-state.ts';
import { createState, flush, resetState, type SandboxState, type Settings } from './state/state.ts';

export interface Peer {
  /** Address of the other end; a loopback address opens the admin routes. */
  address: string;
}

export interface Sandbox {
  /** Answers one request. A connection dropped on purpose rejects with a TypeError, as a lost connection does for `fetch`. */
  fetch(request: Request, peer: Peer): Promise<Response>;
  /** The same as plain data, for the server, which does not use Request and Response. */
  handle(request: SandboxRequest): MaybePromise<Outgoing>;
  /** The answer to bytes that are no readable request. */
  unreadable(status: number, message: string): SandboxAnswer;
  /** The seed in use: a data file brings its own. */
  readonly seed: string;
  /** Notices for the user about the start. */
  readonly notices: readonly string[];
  /** Starts the clock: from here on, steps run between requests. */
  start(): void;
  /**
   * Stops the clock, waits a little for delivery attempts under way, and until no request is being answered: what is answered
   * later would not be kept. @throws Failure when the data file cannot be written
   */
  stop(quiet?: Promise<void>): Promise<void>;
}

/** Real milliseconds deliveries under way get at the end. */
const FINISH_MS = 1500;

/** @throws Failure `unavailable` when the data file cannot be used */
export function createSandbox(options: SandboxOptions): Sandbox {
  const settings = settle(options);
  const state = createState(
    settings,
    new Companies(reserved as readonly ReservedCompany[], options.companies ?? [], settings.lenient),
  );
  const notices = options.data === undefined ? [] : keepIn(state, options.data);
  const sender = options.post ? { post: options.post, close: () => {} } : createSender();
  const { handle, log } = assemble(state, options, sender.post);
  return {
    handle,
    async fetch(request, peer) {
      const outgoing = await handle(await incomingOf(request, peer.address));
      if (outgoing === DROPPED) throw new TypeError('the connection was dropped by a fault');
      return answerOf(outgoing, request.method);
    },
    unreadable: (status, message) => unreadable(state, status, message),
    get seed() {
      return state.seed;
    },
    notices,
    start: () => state.clock.start(),
    async stop(quiet) {
      log.close();
      await Promise.all([quiet, Promise.race([state.clock.stop(), sleep(FINISH_MS, undefined, { ref: false })])]);
      sender.close();
      state.persistence.close();
    },
  };
}

/** Builds the routes, the pipeline and the dispatcher around a state. */
function assemble(state: SandboxState, options: SandboxOptions, post: Post): { handle: Pipeline; log: RequestLog } {
  const log = createRequestLog(state, options.record);
  const dispatcher = new Dispatcher(state, { post, written: log.writeAttempt });
  state.clock.onDue(createStepRunner(state, (step) => dispatcher.run(step)));
  state.clock.onSettled = () => void flush(state);
  const reset = (seed: string | null, keepEndpoints: boolean): void => {
    resetState(state, seed, keepEndpoints);
    dispatcher.forget();
    log.clear();
  };
  const routes = createRouter(routesOf(state, { log, reset }));
  const pipeline = createPipeline({ state, routes, log });
  return {
    handle: state.settings.provider === 'acountpay' ? withoutCredicorpHeaders(pipeline) : pipeline,
    log,
  };
}

/** Loads the state from a data file, and writes to it from now on. @throws Failure */
function keepIn(state: SandboxState, path: string): readonly string[] {
  const asked = state.seed;
  const file = openDataFile({ path, now: state.settings.now(), clockAndCounters: () => clockAndCounters(state) });
  const isNew = !restoreFrom(state, file, path);
  state.persistence = file;
  if (state.settings.jwtAlg === 'RS256') file.put('state', 'keys', (state.keyring.current(), state.keyring.save()));
  const overridden = isNew ? [] : overriddenOptions(state, asked);
  file.flush();
  return [...file.notices, ...overridden];
}

/** @returns false when the file was empty. @throws Failure when what is in it makes no sense, although every record is as it was written */
function restoreFrom(state: SandboxState, file: DataFile, path: string): boolean {
  try {
    return restore(state, file);
  } catch (error) {
    const next = 'name another file with --data, and please report it: see "Reporting a problem" in the README';
    const message = `the state in the data file ${path} makes no sense`;
    throw new Failure('unavailable', message, { code: 'data_unusable', next }, error);
  }
}

/** What a file that was used before decides instead of the options. */
function overriddenOptions(state: SandboxState, asked: string): string[] {
  return [
    ...(state.seed === asked ? [] : [`using the seed of the data file: ${state.seed}`]),
    ...(state.settings.clock.start === undefined
      ? []
      : [`the clock continues from the data file: ${state.clock.stamp()}`]),
  ];
}

// How a sandbox was started (sandbox.md#start-up), with every default filled in.

export interface SandboxOptions {
  /** Origin without a final slash, `http://127.0.0.1:4010`. */
  baseUrl: string;
  /** Of the program; the health route shows it. */
  version: string;
  /** The same seed gives the same ids and bodies (sandbox.md#determinism). */
  seed: string;
  /** Whose API it imitates; the admin routes, the clock and the faults are the same. Default `credicorp`. */
  provider?: 'credicorp' | 'acountpay';
  /** Of project `local`. Default `build`. */
  tier?: TierName;
  /** false keeps the headers and never refuses. */
  rateLimit?: boolean;
  /** `start` in epoch milliseconds; `speed` is a factor above 0. */
  clock?: { start?: number; speed?: number; frozen?: boolean };
  /** false: applications wait for the applicant's form or `submit`. */
  autoSubmit?: boolean;
  /** Unknown companies are approved. */
  lenient?: boolean;
  /** The documented rule on e-mail or return URL is enforced. */
  strict?: boolean;
  /** More rows for the table of companies; a row with a known number replaces it. */
  companies?: readonly ReservedCompany[];
  jwtAlg?: 'ES256' | 'RS256';
  v1Order?: 'new-first' | 'old-first';
  webhookDebugHeaders?: boolean;
  /** Opens the request log to another host that sends it as bearer (sandbox.md#admin-routes). */
  logToken?: string;
  /** Admin routes answer only who sends it as bearer (sandbox.md#admin-routes). Default: every program on this machine. */
  adminToken?: string;
  /** Accepts every `Host` and `Origin`, because it listens for other machines. Default: this machine only, and no web page of another site. */
  anyName?: boolean;
  /** Path of the file that keeps the state. */
  data?: string;
  /** Real milliseconds since the epoch. */
  now(): number;
  /** Sends one webhook delivery; the network by default. */
  post?: Post;
  /** Writes each exchange into the user's journal. */
  record?: RecordExchange;
}

function settle(options: SandboxOptions): Settings {
  const { clock = {} } = options;
  return {
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    version: options.version,
    seed: options.seed,
    provider: options.provider ?? 'credicorp',
    tier: options.tier ?? 'build',
    rateLimit: options.rateLimit ?? true,
    clock: { start: clock.start, speed: clock.speed ?? 1, frozen: clock.frozen ?? false },
    autoSubmit: options.autoSubmit ?? true,
    lenient: options.lenient ?? false,
    strict: options.strict ?? false,
    jwtAlg: options.jwtAlg ?? 'ES256',
    v1Order: options.v1Order ?? 'new-first',
    webhookDebugHeaders: options.webhookDebugHeaders ?? false,
    logToken: options.logToken,
    adminToken: options.adminToken,
    anyName: options.anyName ?? false,
    now: options.now,
  };
}
