/** The sandbox as a value with `fetch` (sandbox page): the partner API, its webhooks, its clock and its faults, without a port. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createCourier } from './courier.ts';
import type { Step } from './clock.ts';
import { DROPPED, type Answer, type Incoming, type Outgoing } from './exchange.ts';
import { createFaults } from './faults.ts';
import { answerOf, incomingOf } from './fetch.ts';
import { runApplicationStep } from './lifecycle.ts';
import { createLimits } from './limits.ts';
import { Companies } from './outcomes.ts';
import { expireLink, runPaymentStep } from './payments.ts';
import { createPipeline, unreadable } from './pipeline.ts';
import { createRequestLog } from './request-log.ts';
import reserved from './reserved-companies.json' with { type: 'json' };
import { createRouter } from './router.ts';
import { adminRoutes } from './routes/admin.ts';
import { applicationRoutes } from './routes/applications.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { linkRoutes } from './routes/links.ts';
import { publicRoutes } from './routes/open.ts';
import { paymentRoutes } from './routes/payments.ts';
import { tokenRoutes } from './routes/token.ts';
import { createSender } from './sender.ts';
import { settle, type SandboxOptions } from './settings.ts';
import { createWorld, type World } from './world.ts';
import type { ReservedCompany } from './objects.ts';

export type { SandboxOptions } from './settings.ts';
export type { ReservedCompany } from './objects.ts';

export interface Peer {
  /** Address of the other end; a loopback address opens the admin routes. */
  address: string;
}

export interface Sandbox {
  /** Answers one request. A connection dropped on purpose rejects with a TypeError, as a lost connection does for `fetch`. */
  fetch(request: Request, peer: Peer): Promise<Response>;
  /** The same as plain data, for an adapter that has no use for Request and Response. */
  handle(request: Incoming): Promise<Outgoing>;
  /** The answer to what was no readable request. */
  unreadable(status: number, message: string): Answer;
  /** Lets the clock run: from here on things happen between requests. */
  start(): void;
  /** Ends what runs of itself and waits for attempts under way. */
  stop(): Promise<void>;
}

/** Real milliseconds deliveries under way get at the end. */
const FINISH_MS = 1500;

/** @throws Failure when the data file cannot be used */
export function createSandbox(options: SandboxOptions): Sandbox {
  const settings = settle(options);
  const companies = new Companies(reserved as readonly ReservedCompany[], options.companies ?? [], settings.lenient);
  const world = createWorld(settings, companies);
  const faults = createFaults({
    newId: (prefix) => world.ids.next(prefix),
    draw: () => world.ids.draw(),
    now: () => world.clock.now(),
  });
  const limits = createLimits(settings.now, settings);
  const log = createRequestLog(world, options.record);
  const sender = options.post ? { post: options.post, close: () => {} } : createSender();
  const courier = createCourier(world, { post: sender.post, faults, written: (attempt) => log.writeAttempt(attempt) });
  world.clock.onDue((step) => (step.kind === 'deliver' ? courier(step) : run(world, faults, step)));
  world.clock.onSettled = () => world.ledger.flush();
  const handle = createPipeline({ world, routes: createRouter(routesOf(world, limits)), limits, faults, log });
  return {
    handle,
    async fetch(request, peer) {
      const outgoing = await handle(await incomingOf(request, peer.address));
      if (outgoing === DROPPED) throw new TypeError('the connection was dropped by a fault');
      return answerOf(outgoing, request.method);
    },
    unreadable: (status, message) => unreadable(world, status, message),
    start: () => world.clock.start(),
    async stop() {
      await Promise.race([world.clock.stop(), sleep(FINISH_MS, undefined, { ref: false })]);
      sender.close();
      world.ledger.close();
    },
  };
}

function routesOf(world: World, limits: ReturnType<typeof createLimits>): ReturnType<typeof tokenRoutes> {
  return [
    ...tokenRoutes(world, limits),
    ...applicationRoutes(world),
    ...decisionRoutes(world),
    ...linkRoutes(world),
    ...paymentRoutes(world),
    ...endpointRoutes(world),
    ...publicRoutes(),
    ...adminRoutes(world),
  ];
}

function run(world: World, faults: ReturnType<typeof createFaults>, step: Step): void {
  world.ledger.remove('steps', String(step.order));
  if (step.kind === 'payment') runPaymentStep(world, faults, step);
  else if (step.kind === 'expire_link') expireLink(world, step);
  else runApplicationStep(world, step);
}
