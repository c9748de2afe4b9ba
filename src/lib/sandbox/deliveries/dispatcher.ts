/**
 * The dispatcher: sends deliveries to their endpoints (webhooks.md#delivery): first attempts in event order, at most 10 under way per endpoint, a
 * failing one never blocks the next. Faults ordered for webhooks act here (sandbox.md#fault-injection).
 */
import { createHmac } from 'node:crypto';
import type { ScheduledStep } from '../state/clock.ts';
import type { FaultKind } from '../../contract/faults.ts';
import type { Fault } from '../state/fault-injection.ts';
import { type DeliveryKept, type EndpointKept, EVENT_LIFE_MS } from '../state/objects.ts';
import { flush, type SandboxState, save } from '../state/state.ts';
import {
  ABREAST,
  ATTEMPT_LIMIT_MS,
  attemptHeaders,
  conclude,
  finish,
  hold,
  postpone,
  endpointSecrets,
} from './deliveries.ts';
import type { DeliveryResult, Post } from './sender.ts';

export interface DispatcherTools {
  post: Post;
  /** Called with each attempt once it has ended. */
  written(attempt: Attempted): void;
}

export interface Attempted {
  delivery: DeliveryKept;
  headers: Record<string, string>;
  /** 1 for the first. */
  attempt: number;
  /** Real milliseconds. */
  startedAt: number;
  durationMs: number;
  result: DeliveryResult;
}

const BEFORE: ReadonlySet<FaultKind> = new Set(['webhook_delay', 'webhook_reorder']);
const DURING: ReadonlySet<FaultKind> = new Set([
  'webhook_fail',
  'webhook_duplicate',
  'webhook_bad_signature',
  'webhook_stale',
  'webhook_body_only',
]);
/** A secret that belongs to no endpoint. */
const FORGED_KEY = 'whsec_belongs_to_nobody';
/** Seconds a stale signature lies in the past. */
const STALE_SECONDS = 600;

export class Dispatcher {
  readonly #state: SandboxState;
  readonly #tools: DispatcherTools;
  readonly #semaphores = new Map<string, Semaphore>();
  /** Held back by `webhook_reorder`, by endpoint: they follow the next event. */
  readonly #heldBack = new Map<string, DeliveryKept>();
  /** A delivery is set aside once. */
  readonly #heldBackOnce = new WeakSet<DeliveryKept>();

  constructor(state: SandboxState, tools: DispatcherTools) {
    this.#state = state;
    this.#tools = tools;
  }

  /** After a reset: forgets the deliveries that were held back. */
  forget(): void {
    this.#heldBack.clear();
  }

  /** Does a `deliver` step; the promise settles when the attempt has ended. */
  run(step: ScheduledStep): void | Promise<void> {
    const { deliveries, webhook_endpoints: endpoints, clock } = this.#state;
    const delivery = deliveries.get(step.id);
    if (delivery === undefined || delivery.due !== step.due) return undefined;
    const endpoint = endpoints.get(delivery.resource.endpoint_id);
    if (endpoint === undefined || clock.now() - delivery.eventCreated >= EVENT_LIFE_MS) {
      finish(this.#state, delivery, 'abandoned');
      return undefined;
    }
    if (endpoint.resource.status === 'disabled') hold(this.#state, delivery);
    else if (!this.#holdBackByFault(delivery)) return this.#dispatch(delivery, endpoint);
    return undefined;
  }

  async #dispatch(delivery: DeliveryKept, endpoint: EndpointKept): Promise<void> {
    this.#markUnscheduled(delivery);
    const semaphore = this.#semaphores.get(endpoint.resource.id) ?? new Semaphore(ABREAST);
    this.#semaphores.set(endpoint.resource.id, semaphore);
    await semaphore.run(() => attempt(this.#state, this.#tools, delivery, endpoint));
    if (semaphore.idle) this.#semaphores.delete(endpoint.resource.id);
    this.#releaseHeldBack(delivery);
  }

  /** Takes the delivery off the schedule, in the data file too. After a crash it is due at once. */
  #markUnscheduled(delivery: DeliveryKept): void {
    delivery.due = null;
    save(this.#state, 'deliveries', delivery);
  }

  /** True when a fault keeps the first attempt back. */
  #holdBackByFault(delivery: DeliveryKept): boolean {
    const { endpoint_id: endpoint, attempts } = delivery.resource;
    if (attempts.length > 0 || this.#heldBackOnce.has(delivery) || this.#heldBack.has(endpoint)) return false;
    const fault = this.#state.faults.take(BEFORE, targetOf(delivery));
    if (fault === null) return false;
    this.#heldBackOnce.add(delivery);
    if (fault.kind === 'webhook_delay') postpone(this.#state, delivery, this.#state.clock.now() + fault.delay_ms);
    else {
      this.#markUnscheduled(delivery);
      this.#heldBack.set(endpoint, delivery);
    }
    return true;
  }

  /** Sends the delivery that was held back, after the one that followed it. */
  #releaseHeldBack(delivery: DeliveryKept): void {
    const back = this.#heldBack.get(delivery.resource.endpoint_id);
    if (back === undefined) return;
    this.#heldBack.delete(delivery.resource.endpoint_id);
    postpone(this.#state, back, this.#state.clock.now());
  }
}

async function attempt(
  state: SandboxState,
  tools: DispatcherTools,
  delivery: DeliveryKept,
  endpoint: EndpointKept,
): Promise<void> {
  const fault = state.faults.take(DURING, targetOf(delivery));
  const at = state.clock.now();
  const startedAt = state.settings.now();
  const t = Math.floor(startedAt / 1000) - (fault?.kind === 'webhook_stale' ? STALE_SECONDS : 0);
  const secrets = fault?.kind === 'webhook_bad_signature' ? [FORGED_KEY] : endpointSecrets(state, endpoint);
  const headers = attemptHeaders(state, delivery, secrets, t);
  if (fault?.kind === 'webhook_body_only') headers['Credicorp-Signature'] = signBodyOnly(secrets, t, delivery.body);
  const number = delivery.resource.attempts.length + 1;
  // Written to the data file before it is sent: otherwise its ids would be given out again after a crash, and a receiver that dedupes on event ids would drop the new event.
  const lost = flush(state) !== null;
  const result: DeliveryResult = lost
    ? { status: null, error: 'socket' }
    : await send(tools.post, { delivery, endpoint, headers, fault });
  const durationMs = Math.max(0, Math.round(state.settings.now() - startedAt));
  // A reset may have come in between.
  if (state.deliveries.get(delivery.resource.id) !== delivery) return;
  tools.written({ delivery, headers, attempt: number, startedAt, durationMs, result });
  conclude(state, delivery, result, { at, t, durationMs, v1Count: secrets.length });
  flush(state);
}

interface AttemptToSend {
  delivery: DeliveryKept;
  endpoint: EndpointKept;
  headers: Record<string, string>;
  fault: Fault | null;
}

async function send(post: Post, { delivery, endpoint, headers, fault }: AttemptToSend): Promise<DeliveryResult> {
  if (fault?.kind === 'webhook_fail') return { status: null, error: 'socket' };
  const webhookRequest = { url: endpoint.resource.url, headers, body: delivery.body, timeoutMs: ATTEMPT_LIMIT_MS };
  // A sender that throws is a sender that failed.
  const result = await post(webhookRequest).catch((): DeliveryResult => ({ status: null, error: 'socket' }));
  if (fault?.kind === 'webhook_duplicate') await post(webhookRequest).catch(() => null);
  return result;
}

function targetOf({ resource }: DeliveryKept): { event: string; endpoint: string } {
  return { event: resource.event_type, endpoint: resource.endpoint_id };
}

/** The MAC one public recipe shows by mistake (webhooks.md#verification): it must never be accepted. */
function signBodyOnly(secrets: readonly string[], t: number, body: string): string {
  return [`t=${t}`, ...secrets.map((secret) => `v1=${createHmac('sha256', secret).update(body).digest('hex')}`)].join();
}

/** A semaphore: runs at most this many tasks at once, the rest in order of arrival. */

export class Semaphore {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(width: number) {
    this.#width = width;
  }

  get idle(): boolean {
    return this.#underWay === 0;
  }

  async run(act: () => Promise<void>): Promise<void> {
    if (this.#underWay >= this.#width) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#underWay += 1;
    try {
      await act();
    } finally {
      const next = this.#waiting.shift();
      // The place goes straight to the next in line, so that no newcomer takes it.
      if (next) next();
      else this.#underWay -= 1;
    }
  }
}
