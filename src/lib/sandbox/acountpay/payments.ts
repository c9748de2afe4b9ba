/** AcountPay's payments, generation 1: made for a merchant, in major units, and ended by the clock. */
import { isKeptNumber, isRecord, parseJson, scalarText } from '../../contract/json.ts';
import { json, type Answer, type Call } from '../exchange.ts';
import type { Limits } from '../limits.ts';
import { Refusal } from '../refusal.ts';
import type { Route } from '../router.ts';
import type { World } from '../world.ts';
import { admits, mintToken, refusal } from './tokens.ts';

interface Payment {
  merchant: string;
  /** As it was written: 149.90 stays 149.90. */
  amount: unknown;
  referenceNumber: string;
  /** Sandbox milliseconds. */
  endsAt: number;
  end: 'completed' | 'failed';
}

const USUAL_MS = 300;
const SLOW_MS = 30_000;
const MOCK_DELAY_MS = 10_000;
/** The oldest make room: nothing here is kept beyond the run. */
const MOST = 10_000;

export function acountpayRoutes(world: World, limits: Limits): Route[] {
  const payments = new Payments(world);
  const guarded = (act: (call: Call) => Answer) => (call: Call) => admitted(world, limits, call, act);
  return [
    { method: 'POST', path: '/oauth/token', plane: 'token', handle: (call) => mintToken(world, limits, call) },
    {
      method: 'POST',
      path: '/v1/partner/payments',
      plane: 'open',
      handle: guarded((call) => create(world, payments, call)),
    },
    {
      method: 'GET',
      path: '/v1/partner/payments/:id',
      plane: 'open',
      handle: guarded((call) => read(world, payments, call)),
    },
  ];
}

function admitted(world: World, limits: Limits, call: Call, act: (call: Call) => Answer): Answer {
  if (!admits(world, call)) return refusal(call, 401, 'invalid_token');
  try {
    limits.take('local', undefined);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return refusal(call, 429, 'rate_limit_exceeded');
  }
  return act(call);
}

function create(world: World, payments: Payments, call: Call): Answer {
  const merchant = call.request.headers['x-merchant-client-id'] ?? '';
  if (merchant === '') return refusal(call, 400, 'missing_merchant');
  const body = bodyOf(call);
  const { amount, referenceNumber } = body ?? {};
  if (!isAmount(amount) || typeof referenceNumber !== 'string' || referenceNumber === '')
    return refusal(call, 400, 'invalid_request');
  const id = world.ids.next('pay_');
  const { after, end } = courseOf(merchant, call.request.headers['x-mock-payment']);
  payments.add(id, { merchant, amount, referenceNumber, end, endsAt: world.clock.now() + after });
  call.resourceIds = [id];
  return json(201, { id, status: 'pending', amount, referenceNumber });
}

function read(world: World, payments: Payments, call: Call): Answer {
  const id = call.params['id'] ?? '';
  const found = payments.get(id);
  if (found === undefined) return refusal(call, 404, 'not_found');
  const { amount, referenceNumber, end, endsAt } = found;
  call.resourceIds = [id];
  return json(200, { id, status: world.clock.now() >= endsAt ? end : 'pending', amount, referenceNumber });
}

/** The test merchants and the header that plays the same parts decide the end. */
function courseOf(merchant: string, mock: string | undefined): { after: number; end: Payment['end'] } {
  if (mock === 'delay') return { after: MOCK_DELAY_MS, end: 'completed' };
  const end = mock === 'fail' || merchant === 'test_merchant_fail' ? 'failed' : 'completed';
  return { after: merchant === 'test_merchant_slow' ? SLOW_MS : USUAL_MS, end };
}

/** A positive number with at most two decimals, judged by its text: a double would have lost it by now. */
function isAmount(amount: unknown): boolean {
  if (typeof amount !== 'number' && !isKeptNumber(amount)) return false;
  const text = scalarText(amount);
  return /^(?:0|[1-9]\d{0,11})(?:\.\d{1,2})?$/.test(text) && /[1-9]/.test(text);
}

function bodyOf(call: Call): Record<string, unknown> | null {
  const { body } = call.request;
  try {
    const value = parseJson(body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : '');
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** Gone with a reset, which replaces the sandbox's identifiers. */
class Payments {
  readonly #world: World;
  readonly #kept = new Map<string, Payment>();
  #life: World['ids'];

  constructor(world: World) {
    this.#world = world;
    this.#life = world.ids;
  }

  add(id: string, payment: Payment): void {
    this.#current().set(id, payment);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST) break;
      this.#kept.delete(oldest);
    }
  }

  get(id: string): Payment | undefined {
    return this.#current().get(id);
  }

  #current(): Map<string, Payment> {
    if (this.#life !== this.#world.ids) this.#kept.clear();
    this.#life = this.#world.ids;
    return this.#kept;
  }
}
