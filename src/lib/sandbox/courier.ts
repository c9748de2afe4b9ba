/**
 * Carries deliveries to their endpoints (webhooks page §5): first attempts in event order, at most 10 under way per endpoint, a
 * failing one never blocks the next. Faults ordered for webhooks act here (sandbox page §11).
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
import type { World } from './world.ts';

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

/** Does a `deliver` step; the promise settles when the attempt has ended. */
export function createCourier(world: World, tools: CourierTools): (step: Step) => void | Promise<void> {
  const lanes = new Map<string, Lane>();
  /** Held back by `webhook_reorder`, by endpoint: they follow the next event. */
  const heldBack = new Map<string, DeliveryKept>();
  /** A delivery is set aside once. */
  const setAsideBefore = new WeakSet<DeliveryKept>();

  return (step) => {
    const delivery = world.deliveries.get(step.id);
    if (delivery === undefined || delivery.due !== step.due) return undefined;
    const endpoint = world.webhook_endpoints.get(delivery.resource.endpoint_id);
    if (endpoint === undefined || world.clock.now() - delivery.eventCreated >= EVENT_LIFE_MS) {
      finish(world, delivery, 'abandoned');
      return undefined;
    }
    if (endpoint.resource.status === 'disabled') hold(world, delivery);
    else if (!setAside(delivery)) return carry(delivery, endpoint);
    return undefined;
  };

  async function carry(delivery: DeliveryKept, endpoint: EndpointKept): Promise<void> {
    delivery.due = null;
    const lane = lanes.get(endpoint.resource.id) ?? new Lane(ABREAST);
    lanes.set(endpoint.resource.id, lane);
    await lane.run(() => attempt(world, tools, delivery, endpoint));
    if (lane.idle) lanes.delete(endpoint.resource.id);
    letFollow(delivery);
  }

  /** True when a fault keeps the first attempt back. */
  function setAside(delivery: DeliveryKept): boolean {
    const { endpoint_id: endpoint } = delivery.resource;
    if (delivery.resource.attempts.length > 0 || setAsideBefore.has(delivery) || heldBack.has(endpoint)) return false;
    const fault = tools.faults.take(BEFORE, occasionOf(delivery));
    if (fault === null) return false;
    setAsideBefore.add(delivery);
    if (fault.kind === 'webhook_delay') postpone(world, delivery, world.clock.now() + fault.delay_ms);
    else {
      delivery.due = null;
      heldBack.set(endpoint, delivery);
    }
    return true;
  }

  /** The one held back goes after the one that followed it. */
  function letFollow(delivery: DeliveryKept): void {
    const back = heldBack.get(delivery.resource.endpoint_id);
    if (back === undefined) return;
    heldBack.delete(delivery.resource.endpoint_id);
    postpone(world, back, world.clock.now());
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
  const receipt = await send(tools.post, { delivery, endpoint, headers, fault });
  const durationMs = Math.max(0, Math.round(world.settings.now() - startedAt));
  // A reset may have come in between.
  if (world.deliveries.get(delivery.resource.id) !== delivery) return;
  tools.written({ delivery, headers, attempt: number, startedAt, durationMs, receipt });
  conclude(world, delivery, receipt, { at, t, durationMs, v1Count: secrets.length });
  world.ledger.flush();
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
  const receipt = await post(parcel);
  if (fault?.kind === 'webhook_duplicate') await post(parcel);
  return receipt;
}

function occasionOf({ resource }: DeliveryKept): { event: string; endpoint: string } {
  return { event: resource.event_type, endpoint: resource.endpoint_id };
}

/** The MAC one public recipe shows by mistake (webhooks page §3): it must never be accepted. */
function signBodyOnly(secrets: readonly string[], t: number, body: string): string {
  return [`t=${t}`, ...secrets.map((secret) => `v1=${createHmac('sha256', secret).update(body).digest('hex')}`)].join();
}
