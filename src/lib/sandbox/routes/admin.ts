/** Admin routes about the sandbox as a whole (sandbox.md#admin-routes). */
import * as z from 'zod/mini';
import { isoSeconds, parseDuration } from '../../contract/time.ts';
import { type SandboxAnswer, type SandboxCall, json } from '../http/call.ts';
import {
  at,
  described,
  type Field,
  instantType,
  listType,
  oneOf,
  textType,
  booleanType,
  validateTypes,
} from '../http/fields.ts';
import { refuse } from '../http/refusal.ts';
import { fund } from '../lifecycle/funding.ts';
import type { PaymentOutcome } from '../lifecycle/payment-lifecycle.ts';
import { payLink } from '../lifecycle/payment-links.ts';
import type { RequestLog } from '../requests/request-log.ts';
import type { SandboxRoute } from '../requests/router.ts';
import { END_OF_TIME } from '../state/clock.ts';
import { readKey } from '../state/idempotent-answers.ts';
import type { SandboxState } from '../state/state.ts';
import { PROJECTS } from '../token/authenticator.ts';
import { openJwt } from '../token/keyring.ts';

export interface AdminTools {
  log: RequestLog;
  /** Empties the state; with another seed if one is given, and without removing webhook endpoints if `keepEndpoints`. */
  reset(seed: string | null, keepEndpoints: boolean): void;
}

export function adminRoutes(state: SandboxState, tools: AdminTools): SandboxRoute[] {
  const advances = new Map<string, Promise<SandboxAnswer>>();
  return [
    { method: 'GET', path: '/_sandbox/health', plane: 'admin', handle: () => json(200, health(state)) },
    { method: 'GET', path: '/_sandbox/companies', plane: 'admin', handle: () => json(200, state.companies.all()) },
    {
      method: 'POST',
      path: '/_sandbox/clock/advance',
      plane: 'admin',
      handle: (call) => once(advances, call, () => advance(state, tools.log, call)),
    },
    {
      method: 'POST',
      path: '/_sandbox/reset',
      plane: 'admin',
      handle: (call) => {
        const answer = reset(state, tools, call);
        advances.clear();
        return answer;
      },
    },
  ];
}

/** Members in documented order. */
function health(state: SandboxState): Record<string, unknown> {
  const { settings, clock } = state;
  return {
    status: 'ok',
    version: settings.version,
    base_url: settings.baseUrl,
    environment: 'sandbox',
    tier: settings.tier,
    seed: state.seed,
    now: isoSeconds(clock.now()),
    clock: clock.kind,
    auto_submit: settings.autoSubmit,
    lenient: settings.lenient,
    counts: {
      applications: state.applications.size,
      decisions: state.decisions.size,
      payments: state.payments.size,
      payment_links: state.payment_links.size,
      identity_checks: state.identity_checks.size,
      accounts: state.accounts.size,
      webhook_endpoints: state.webhook_endpoints.size,
      events: state.events.size,
      pending_deliveries: state.deliveries.all().filter(({ resource }) => resource.status === 'pending').length,
    },
  };
}

const ADVANCE_FIELDS: readonly Field[] = [
  {
    path: 'by',
    type: described(z.string().check(z.regex(/^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d)$/)), 'a duration such as 72h'),
  },
  { path: 'seconds', type: described(z.number().check(z.gte(0)), 'a number of seconds from 0') },
  { path: 'to', type: instantType },
];

/** How many answers to admin acts are kept. */
const MOST_KEPT = 100;

/** An act with an Idempotency-Key is done once while this sandbox runs: its repeat waits for the first, and has the same answer (sandbox.md#admin-routes). */
async function once(
  kept: Map<string, Promise<SandboxAnswer>>,
  call: SandboxCall,
  act: () => Promise<SandboxAnswer>,
): Promise<SandboxAnswer> {
  const key = readKey(call);
  if (key === null) return act();
  const name = `${key} ${JSON.stringify(call.body)}`;
  const before = kept.get(name);
  if (before !== undefined) {
    const answer = await before;
    return { ...answer, headers: { ...answer.headers, 'Idempotency-Replayed': 'true' } };
  }
  const [oldest] = kept.keys();
  if (oldest !== undefined && kept.size >= MOST_KEPT) kept.delete(oldest);
  const doing = act();
  kept.set(name, doing);
  // What was refused was not done.
  doing.catch(() => kept.delete(name));
  return doing;
}

/** Advances the clock and runs what becomes due, each step at its instant (sandbox.md#virtual-clock). */
async function advance(state: SandboxState, log: RequestLog, call: SandboxCall): Promise<SandboxAnswer> {
  const { body } = call;
  validateTypes(body, ADVANCE_FIELDS);
  const given = ['by', 'seconds', 'to'].filter((name) => at(body, name) !== undefined);
  if (given.length === 0) throw refuse('parameter_missing', 'Missing required parameter: by, seconds or to.', 'by');
  if (given.length > 1) throw refuse('parameter_invalid', 'Send one of by, seconds and to.', given[1]);
  const { from, to, fired } = await state.clock.advance((now) => targetOf(body, now));
  const answer = { now: isoSeconds(to), advanced_seconds: Math.floor((to - from) / 1000), fired };
  log.publish('clock', () => JSON.stringify(answer));
  return json(200, answer);
}

/** @throws Refusal 422 for an instant in the past or beyond the calendar */
function targetOf(body: unknown, now: number): number {
  const [by, seconds, to] = [at(body, 'by'), at(body, 'seconds'), at(body, 'to')];
  const target =
    to === undefined
      ? now + (by === undefined ? Math.round(Number(seconds) * 1000) : (parseDuration(String(by)) ?? 0))
      : Date.parse(String(to));
  const param = to === undefined ? (by === undefined ? 'seconds' : 'by') : 'to';
  if (target < now) throw refuse('validation_error', 'The clock moves forward only.', param);
  if (target > END_OF_TIME) throw refuse('validation_error', 'The clock ends with the year 9999.', param);
  return target;
}

const RESET_FIELDS: readonly Field[] = [
  { path: 'seed', type: textType },
  { path: 'keep', type: listType },
];

function reset(state: SandboxState, tools: AdminTools, call: SandboxCall): SandboxAnswer {
  validateTypes(call.body, RESET_FIELDS);
  const keep = at(call.body, 'keep');
  const kinds = Array.isArray(keep) ? keep.map(String) : [];
  const other = kinds.find((kind) => kind !== 'webhook_endpoints');
  if (other !== undefined) throw refuse('parameter_invalid', 'Only webhook_endpoints can be kept.', 'keep');
  const seed = at(call.body, 'seed');
  tools.reset(typeof seed === 'string' ? seed : null, kinds.length > 0);
  return json(200, health(state));
}

// Admin routes that act for people: releasing money, paying a link, revoking a credential (sandbox.md#funding, sandbox.md#admin-routes).

export function actRoutes(state: SandboxState): SandboxRoute[] {
  return [
    {
      method: 'POST',
      path: '/_sandbox/applications/:id/fund',
      plane: 'admin',
      handle: (call) => release(state, call),
    },
    {
      method: 'POST',
      path: '/_sandbox/payments/links/:id/pay',
      plane: 'admin',
      handle: (call) => pay(state, call),
    },
    { method: 'POST', path: '/_sandbox/oauth/revoke', plane: 'admin', handle: (call) => revoke(state, call) },
  ];
}

function release(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const id = call.params['id'] ?? '';
  const kept = state.applications.get(id);
  if (kept === undefined) throw refuse('resource_missing', `No such application: ${id.slice(0, 64)}.`, 'id');
  if (kept.resource.status !== 'approved') {
    throw refuse('state_conflict', `The application is ${kept.resource.status}; only an approved one can be funded.`);
  }
  const { application, payment, account } = fund(state, kept);
  return json(200, { application: application.resource, payment: payment.resource, account: account.resource });
}

const PAY_FIELDS: readonly Field[] = [
  { path: 'outcome', type: oneOf('settled', 'failed') },
  { path: 'failure_code', type: described(z.string().check(z.regex(/^[a-z0-9_]{1,64}$/)), 'a failure code') },
];

function pay(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const id = call.params['id'] ?? '';
  const link = state.payment_links.get(id);
  if (link === undefined) throw refuse('resource_missing', `No such payment link: ${id.slice(0, 64)}.`, 'id');
  validateTypes(call.body, PAY_FIELDS);
  if (link.resource.status !== 'open') {
    throw refuse('state_conflict', `The payment link is ${link.resource.status} and takes no payment.`);
  }
  const payment = payLink(state, link, endingOf(call.body));
  return json(200, { payment: payment.resource, payment_link: link.resource });
}

function endingOf(body: unknown): PaymentOutcome | undefined {
  const outcome = at(body, 'outcome');
  if (outcome === undefined) return undefined;
  if (outcome === 'settled') return { status: 'settled' };
  return { status: 'failed', failureCode: String(at(body, 'failure_code') ?? 'insufficient_funds') };
}

const REVOKE_FIELDS: readonly Field[] = [
  { path: 'token', type: textType },
  { path: 'client_id', type: textType },
  { path: 'restore', type: booleanType },
];

function revoke(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const { body } = call;
  validateTypes(body, REVOKE_FIELDS);
  const [token, client] = [at(body, 'token'), at(body, 'client_id')];
  const { revoked } = state;
  if (token !== undefined) {
    const jti = openJwt(state.keyring, String(token), state.clock.now())?.['jti'];
    if (typeof jti !== 'string') throw refuse('resource_missing', 'The token was not issued by this sandbox.', 'token');
    revoked.tokens.add(jti);
  } else if (client !== undefined) {
    const id = String(client);
    if (!PROJECTS.some(({ clientId }) => clientId === id)) {
      throw refuse('resource_missing', 'No such client.', 'client_id');
    }
    if (at(body, 'restore') === true) revoked.clients.delete(id);
    else revoked.clients.add(id);
  } else throw refuse('parameter_missing', 'Missing required parameter: token or client_id.', 'token');
  state.persistence.put('state', 'revoked', { tokens: [...revoked.tokens], clients: [...revoked.clients] });
  return json(200, { revoked: at(body, 'restore') !== true || token !== undefined });
}
