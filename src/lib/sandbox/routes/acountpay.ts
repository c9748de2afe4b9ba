/** AcountPay's payments, generation 1: created for a merchant, in major units, and ended by the sandbox clock. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isKeptNumber, isRecord, parseJson, scalarText } from '../../contract/json.ts';
import {
  type SandboxAnswer,
  type SandboxCall,
  DROPPED,
  type SandboxRequest,
  json,
  type Outgoing,
} from '../http/call.ts';
import { Refusal } from '../http/refusal.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { SandboxState } from '../state/state.ts';

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
/** The oldest are dropped; nothing is kept after the sandbox ends. */
const MOST = 10_000;

export function acountpayRoutes(state: SandboxState): SandboxRoute[] {
  const payments = new Payments(state);
  const guarded = (act: (call: SandboxCall) => SandboxAnswer) => (call: SandboxCall) => admitted(state, call, act);
  return [
    { method: 'POST', path: '/oauth/token', plane: 'token', handle: (call) => mintToken(state, call) },
    {
      method: 'POST',
      path: '/v1/partner/payments',
      plane: 'open',
      handle: guarded((call) => create(state, payments, call)),
    },
    {
      method: 'GET',
      path: '/v1/partner/payments/:id',
      plane: 'open',
      handle: guarded((call) => read(state, payments, call)),
    },
  ];
}

function admitted(state: SandboxState, call: SandboxCall, act: (call: SandboxCall) => SandboxAnswer): SandboxAnswer {
  if (!admits(state, call)) return refusal(call, 401, 'invalid_token');
  try {
    state.limits.take('local', undefined);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return refusal(call, 429, 'rate_limit_exceeded');
  }
  return act(call);
}

function create(state: SandboxState, payments: Payments, call: SandboxCall): SandboxAnswer {
  const merchant = call.request.headers['x-merchant-client-id'] ?? '';
  if (merchant === '') return refusal(call, 400, 'missing_merchant');
  const body = bodyOf(call);
  const { amount, referenceNumber } = body ?? {};
  if (!isAmount(amount) || typeof referenceNumber !== 'string' || referenceNumber === '')
    return refusal(call, 400, 'invalid_request');
  const id = state.ids.next('pay_');
  const { after, end } = courseOf(merchant, call.request.headers['x-mock-payment']);
  payments.add(id, { merchant, amount, referenceNumber, end, endsAt: state.clock.now() + after });
  call.resourceIds = [id];
  return json(201, { id, status: 'pending', amount, referenceNumber });
}

function read(state: SandboxState, payments: Payments, call: SandboxCall): SandboxAnswer {
  const id = call.params['id'] ?? '';
  const found = payments.get(id);
  if (found === undefined) return refusal(call, 404, 'not_found');
  const { amount, referenceNumber, end, endsAt } = found;
  call.resourceIds = [id];
  return json(200, { id, status: state.clock.now() >= endsAt ? end : 'pending', amount, referenceNumber });
}

/** How and when a payment ends: decided by test merchant or `X-Mock-Payment` header. */
function courseOf(merchant: string, mock: string | undefined): { after: number; end: Payment['end'] } {
  if (mock === 'delay') return { after: MOCK_DELAY_MS, end: 'completed' };
  const end = mock === 'fail' || merchant === 'test_merchant_fail' ? 'failed' : 'completed';
  return { after: merchant === 'test_merchant_slow' ? SLOW_MS : USUAL_MS, end };
}

/** A positive number with at most two decimals, checked in its text: a number has lost the trailing zeros. */
function isAmount(amount: unknown): boolean {
  if (typeof amount !== 'number' && !isKeptNumber(amount)) return false;
  const text = scalarText(amount);
  return /^(?:0|[1-9]\d{0,11})(?:\.\d{1,2})?$/.test(text) && /[1-9]/.test(text);
}

function bodyOf(call: SandboxCall): Record<string, unknown> | null {
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
  readonly #state: SandboxState;
  readonly #kept = new Map<string, Payment>();
  #life: SandboxState['ids'];

  constructor(state: SandboxState) {
    this.#state = state;
    this.#life = state.ids;
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
    if (this.#life !== this.#state.ids) this.#kept.clear();
    this.#life = this.#state.ids;
    return this.#kept;
  }
}

// AcountPay's token plane, generation 1: client credentials in a form, and an HS256 token that only its issuer can verify.

const CLIENT = { id: 'partner_local', secret: 'partner_secret_local' };
const SCOPE = 'payments:create payments:read';
const LIFE_S = 3600;

/** The body is the short form `{"error":"code"}`; a 429 has no `Retry-After`. */
function refusal(call: SandboxCall, status: number, error: string): SandboxAnswer {
  call.errorCode = error;
  return json(status, { error });
}

function mintToken(state: SandboxState, call: SandboxCall): SandboxAnswer {
  call.secretive = true;
  const { body } = call.request;
  const form = new URLSearchParams(body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : '');
  if (form.get('client_id') !== CLIENT.id || form.get('client_secret') !== CLIENT.secret)
    return refusal(call, 401, 'invalid_client');
  if (state.limits.mint('local').wait !== null) return refusal(call, 429, 'rate_limit_exceeded');
  if (form.get('grant_type') !== 'client_credentials') return refusal(call, 400, 'invalid_grant');
  const now = Math.floor(state.clock.now() / 1000);
  const claims = {
    iss: state.settings.baseUrl,
    sub: CLIENT.id,
    scope: SCOPE,
    iat: now,
    exp: now + LIFE_S,
    jti: state.ids.bare('jti'),
  };
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  const token = `${text}.${sign(state, text)}`;
  const answer = { access_token: token, token_type: 'Bearer', expires_in: LIFE_S, scope: SCOPE };
  return json(200, answer, { 'Cache-Control': 'no-store' });
}

/** True for a bearer that this sandbox issued and that has not expired. */
function admits(state: SandboxState, call: SandboxCall): boolean {
  const token = /^bearer +(\S+)$/i.exec(call.request.authorization ?? '')?.[1] ?? '';
  const [header = '', claims = '', signature = ''] = token.split('.');
  const expected = Buffer.from(sign(state, `${header}.${claims}`));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  const found: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
  return isRecord(found) && typeof found['exp'] === 'number' && found['exp'] * 1000 > state.clock.now();
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function sign(state: SandboxState, text: string): string {
  return createHmac('sha256', `acountpay ${state.seed}`).update(text).digest('base64url');
}

// What AcountPay's answers do not carry: request ids and rate figures are Credicorp's.

const OWN = [
  'Credicorp-Request-Id',
  'x-credicorp-request-id',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
];

export function withoutCredicorpHeaders<P extends (request: SandboxRequest) => Outgoing | Promise<Outgoing>>(
  pipeline: P,
) {
  return async (request: SandboxRequest): Promise<Outgoing> => {
    const outgoing = await pipeline(request);
    if (outgoing === DROPPED || request.path.startsWith('/_sandbox')) return outgoing;
    for (const name of OWN) delete outgoing.headers[name];
    return outgoing;
  };
}
