/**
 * Carries deliveries to their endpoints (webhooks.md#delivery): first attempts in event order, at most 10 under way per endpoint, a
 * failing one never blocks the next. Faults ordered for webhooks act here (sandbox.md#fault-injection).
 */
import { createHmac } from 'node:crypto';
import type { Step } from './clock.ts';
import {
  ABREAST,
  ATTEMPT_LIMIT_MS,
  attemptHeaders,
  conclude,
  EVENT_LIFE_MS,
  finish,
  hold,
  postpone,
  signingSecrets,
} from './deliveries.ts';
import type { Fault, FaultKind, Faults } from './faults.ts';
import { Lane } from './lane.ts';
import type { DeliveryKept, EndpointKept } from './objects.ts';
import type { Post, Receipt } from './sender.ts';
import { save, writeDown, type World } from './world.ts';

export interface CourierTools {
  post: Post;
  faults: Faults;
  /** Told of each attempt once it has ended. */
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
  receipt: Receipt;
}

const BEFORE: ReadonlySet<FaultKind> = new Set(['webhook_delay', 'webhook_reorder']);
const DURING: ReadonlySet<FaultKind> = new Set([
  'webhook_fail',
  'webhook_duplicate',
  'webhook_bad_signature',
  'webhook_stale',
  'webhook_body_only',
]);
/** A key that belongs to nobody. */
const NOBODYS_KEY = 'whsec_belongs_to_nobody';
/** Seconds a stale signature lies in the past. */
const STALE_SECONDS = 600;

export class Courier {
  readonly #world: World;
  readonly #tools: CourierTools;
  readonly #lanes = new Map<string, Lane>();
  /** Held back by `webhook_reorder`, by endpoint: they follow the next event. */
  readonly #heldBack = new Map<string, DeliveryKept>();
  /** A delivery is set aside once. */
  readonly #setAsideBefore = new WeakSet<DeliveryKept>();

  constructor(world: World, tools: CourierTools) {
    this.#world = world;
    this.#tools = tools;
  }

  /** After a reset: what was held back belonged to an earlier life. */
  forget(): void {
    this.#heldBack.clear();
  }

  /** Does a `deliver` step; the promise settles when the attempt has ended. */
  run(step: Step): void | Promise<void> {
    const { deliveries, webhook_endpoints: endpoints, clock } = this.#world;
    const delivery = deliveries.get(step.id);
    if (delivery === undefined || delivery.due !== step.due) return undefined;
    const endpoint = endpoints.get(delivery.resource.endpoint_id);
    if (endpoint === undefined || clock.now() - delivery.eventCreated >= EVENT_LIFE_MS) {
      finish(this.#world, delivery, 'abandoned');
      return undefined;
    }
    if (endpoint.resource.status === 'disabled') hold(this.#world, delivery);
    else if (!this.#setAside(delivery)) return this.#carry(delivery, endpoint);
    return undefined;
  }

  async #carry(delivery: DeliveryKept, endpoint: EndpointKept): Promise<void> {
    this.#takeUp(delivery);
    const lane = this.#lanes.get(endpoint.resource.id) ?? new Lane(ABREAST);
    this.#lanes.set(endpoint.resource.id, lane);
    await lane.run(() => attempt(this.#world, this.#tools, delivery, endpoint));
    if (lane.idle) this.#lanes.delete(endpoint.resource.id);
    this.#letFollow(delivery);
  }

  /** No step waits for it any more: the file says so too, and after a crash it is due at once. */
  #takeUp(delivery: DeliveryKept): void {
    delivery.due = null;
    save(this.#world, 'deliveries', delivery);
  }

  /** True when a fault keeps the first attempt back. */
  #setAside(delivery: DeliveryKept): boolean {
    const { endpoint_id: endpoint, attempts } = delivery.resource;
    if (attempts.length > 0 || this.#setAsideBefore.has(delivery) || this.#heldBack.has(endpoint)) return false;
    const fault = this.#tools.faults.take(BEFORE, occasionOf(delivery));
    if (fault === null) return false;
    this.#setAsideBefore.add(delivery);
    if (fault.kind === 'webhook_delay') postpone(this.#world, delivery, this.#world.clock.now() + fault.delay_ms);
    else {
      this.#takeUp(delivery);
      this.#heldBack.set(endpoint, delivery);
    }
    return true;
  }

  /** The one held back goes after the one that followed it. */
  #letFollow(delivery: DeliveryKept): void {
    const back = this.#heldBack.get(delivery.resource.endpoint_id);
    if (back === undefined) return;
    this.#heldBack.delete(delivery.resource.endpoint_id);
    postpone(this.#world, back, this.#world.clock.now());
  }
}

async function attempt(
  world: World,
  tools: CourierTools,
  delivery: DeliveryKept,
  endpoint: EndpointKept,
): Promise<void> {
  const fault = tools.faults.take(DURING, occasionOf(delivery));
  const at = world.clock.now();
  const startedAt = world.settings.now();
  const t = Math.floor(startedAt / 1000) - (fault?.kind === 'webhook_stale' ? STALE_SECONDS : 0);
  const secrets = fault?.kind === 'webhook_bad_signature' ? [NOBODYS_KEY] : signingSecrets(world, endpoint);
  const headers = attemptHeaders(world, delivery, secrets, t);
  if (fault?.kind === 'webhook_body_only') headers['Credicorp-Signature'] = signBodyOnly(secrets, t, delivery.body);
  const number = delivery.resource.attempts.length + 1;
  // Before it leaves: after a crash its ids would be given out again, and a receiver that goes by event ids would drop the new one.
  const lost = writeDown(world) !== null;
  const receipt: Receipt = lost
    ? { status: null, error: 'socket' }
    : await send(tools.post, { delivery, endpoint, headers, fault });
  const durationMs = Math.max(0, Math.round(world.settings.now() - startedAt));
  // A reset may have come in between.
  if (world.deliveries.get(delivery.resource.id) !== delivery) return;
  tools.written({ delivery, headers, attempt: number, startedAt, durationMs, receipt });
  conclude(world, delivery, receipt, { at, t, durationMs, v1Count: secrets.length });
  writeDown(world);
}

interface Parcelled {
  delivery: DeliveryKept;
  endpoint: EndpointKept;
  headers: Record<string, string>;
  fault: Fault | null;
}

async function send(post: Post, { delivery, endpoint, headers, fault }: Parcelled): Promise<Receipt> {
  if (fault?.kind === 'webhook_fail') return { status: null, error: 'socket' };
  const parcel = { url: endpoint.resource.url, headers, body: delivery.body, timeoutMs: ATTEMPT_LIMIT_MS };
  // A sender that throws is a sender that failed.
  const receipt = await post(parcel).catch((): Receipt => ({ status: null, error: 'socket' }));
  if (fault?.kind === 'webhook_duplicate') await post(parcel).catch(() => null);
  return receipt;
}

function occasionOf({ resource }: DeliveryKept): { event: string; endpoint: string } {
  return { event: resource.event_type, endpoint: resource.endpoint_id };
}

/** The MAC one public recipe shows by mistake (webhooks.md#verification): it must never be accepted. */
function signBodyOnly(secrets: readonly string[], t: number, body: string): string {
  return [`t=${t}`, ...secrets.map((secret) => `v1=${createHmac('sha256', secret).update(body).digest('hex')}`)].join();
}
