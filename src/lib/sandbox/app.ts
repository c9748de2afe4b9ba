/** The sandbox as a value with `fetch` (sandbox.md#start-up): the partner API, its webhooks, its clock and its faults, without a port. */
import { setTimeout as sleep } from 'node:timers/promises';
import { unbranded } from './acountpay/unbranded.ts';
import { Courier } from './courier.ts';
import { openDataFile } from './data-file.ts';
import { DROPPED, type Answer, type Incoming, type Outgoing } from './exchange.ts';
import { createFaults } from './faults.ts';
import { answerOf, incomingOf } from './fetch.ts';
import { Limits } from './limits.ts';
import type { MaybeLater } from './maybe-later.ts';
import { Companies } from './outcomes.ts';
import { createPipeline, unreadable, type Pipeline } from './pipeline.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import reserved from './reserved-companies.json' with { type: 'json' };
import { resetWorld } from './reset.ts';
import { createRouter } from './router.ts';
import { routesOf } from './routes.ts';
import { alongside, restore } from './saved-state.ts';
import { createSender, type Post } from './sender.ts';
import { settle, type SandboxOptions } from './settings.ts';
import { createSteps } from './steps.ts';
import { createWorld, writeDown, type World } from './world.ts';
import type { ReservedCompany } from './objects.ts';

export type { SandboxOptions } from './settings.ts';

export interface Peer {
  /** Address of the other end; a loopback address opens the admin routes. */
  address: string;
}

export interface Sandbox {
  /** Answers one request. A connection dropped on purpose rejects with a TypeError, as a lost connection does for `fetch`. */
  fetch(request: Request, peer: Peer): Promise<Response>;
  /** The same as plain data, for an adapter that has no use for Request and Response. */
  handle(request: Incoming): MaybeLater<Outgoing>;
  /** The answer to what was no readable request. */
  unreadable(status: number, message: string): Answer;
  /** The seed in force: a data file brings its own. */
  readonly seed: string;
  /** What the user should be told about the start. */
  readonly notices: readonly string[];
  /** Lets the clock run: from here on things happen between requests. */
  start(): void;
  /**
   * Ends what runs of itself, waits a little for attempts under way, and until nothing is being answered any more: what is answered
   * later would not be kept. @throws Failure when the data file cannot be written
   */
  stop(quiet?: Promise<void>): Promise<void>;
}

/** Real milliseconds deliveries under way get at the end. */
const FINISH_MS = 1500;

/** @throws Failure `unavailable` when the data file cannot be used */
export function createSandbox(options: SandboxOptions): Sandbox {
  const settings = settle(options);
  const world = createWorld(
    settings,
    new Companies(reserved as readonly ReservedCompany[], options.companies ?? [], settings.lenient),
  );
  const notices = options.data === undefined ? [] : keepIn(world, options.data);
  const sender = options.post ? { post: options.post, close: () => {} } : createSender();
  const { handle, log, limits } = assemble(world, options, sender.post);
  return {
    handle,
    async fetch(request, peer) {
      const outgoing = await handle(await incomingOf(request, peer.address));
      if (outgoing === DROPPED) throw new TypeError('the connection was dropped by a fault');
      return answerOf(outgoing, request.method);
    },
    unreadable: (status, message) => unreadable(world, limits, status, message),
    get seed() {
      return world.seed;
    },
    notices,
    start: () => world.clock.start(),
    async stop(quiet) {
      log.close();
      await Promise.all([quiet, Promise.race([world.clock.stop(), sleep(FINISH_MS, undefined, { ref: false })])]);
      sender.close();
      world.ledger.close();
    },
  };
}

/** Puts the parts round a world together. */
function assemble(
  world: World,
  options: SandboxOptions,
  post: Post,
): { handle: Pipeline; log: RequestLog; limits: Limits } {
  const faults = createFaults({
    newId: (prefix) => world.ids.next(prefix),
    draw: () => world.ids.draw(),
    now: () => world.clock.now(),
  });
  const limits = new Limits(world.settings.now, world.settings);
  const log = createRequestLog(world, options.record);
  const courier = new Courier(world, { post, faults, written: log.writeAttempt });
  world.clock.onDue(createSteps(world, faults, (step) => courier.run(step)));
  world.clock.onSettled = () => void writeDown(world);
  const reset = (seed: string | null, keepEndpoints: boolean): void => {
    resetWorld(world, seed, keepEndpoints);
    faults.remove(null);
    courier.forget();
    limits.reset();
    log.clear();
  };
  const routes = createRouter(routesOf(world, { limits, faults, log, reset }));
  const pipeline = createPipeline({ world, routes, limits, faults, log });
  return { handle: world.settings.provider === 'acountpay' ? unbranded(pipeline) : pipeline, log, limits };
}

/** Takes up the state of a data file, and writes to it from now on. @throws Failure */
function keepIn(world: World, path: string): readonly string[] {
  const asked = world.seed;
  const file = openDataFile({ path, now: world.settings.now(), alongside: () => alongside(world) });
  const isNew = file.read('state').length === 0;
  restore(world, file);
  world.ledger = file;
  if (world.settings.jwtAlg === 'RS256') file.put('state', 'keys', (world.keyring.current(), world.keyring.save()));
  const went = isNew ? [] : ownStory(world, asked);
  file.flush();
  return [...file.notices, ...went];
}

/** What a file that was used before decides instead of the options. */
function ownStory(world: World, asked: string): string[] {
  return [
    ...(world.seed === asked ? [] : [`the seed of the data file is in force: ${world.seed}`]),
    ...(world.settings.clock.start === undefined
      ? []
      : [`the clock of the data file goes on from ${world.clock.stamp()}`]),
  ];
}
