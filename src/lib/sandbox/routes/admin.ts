/** Admin routes about the sandbox as a whole (sandbox.md#admin-routes). */
import * as z from 'zod/mini';
import { isoSeconds, parseDuration } from '../../contract/time.ts';
import { END_OF_TIME } from '../clock.ts';
import { json, type Answer, type Call } from '../exchange.ts';
import { at, instant, judgeTypes, list, said, text, type Field } from '../fields.ts';
import { refuse } from '../refusal.ts';
import type { RequestLog } from '../request-log.ts';
import type { Route } from '../router.ts';
import type { World } from '../world.ts';

export interface AdminTools {
  log: RequestLog;
  /** Begins anew, with another seed where one is given; `keepEndpoints` leaves the webhook endpoints. */
  reset(seed: string | null, keepEndpoints: boolean): void;
}

export function adminRoutes(world: World, tools: AdminTools): Route[] {
  return [
    { method: 'GET', path: '/_sandbox/health', plane: 'admin', handle: () => json(200, health(world)) },
    { method: 'GET', path: '/_sandbox/companies', plane: 'admin', handle: () => json(200, world.companies.all()) },
    {
      method: 'POST',
      path: '/_sandbox/clock/advance',
      plane: 'admin',
      handle: (call) => advance(world, tools.log, call),
    },
    { method: 'POST', path: '/_sandbox/reset', plane: 'admin', handle: (call) => reset(world, tools, call) },
  ];
}

/** Members in documented order. */
function health(world: World): Record<string, unknown> {
  const { settings, clock } = world;
  return {
    status: 'ok',
    version: settings.version,
    base_url: settings.baseUrl,
    environment: 'sandbox',
    tier: settings.tier,
    seed: world.seed,
    now: isoSeconds(clock.now()),
    clock: clock.kind,
    auto_submit: settings.autoSubmit,
    lenient: settings.lenient,
    counts: {
      applications: world.applications.size,
      decisions: world.decisions.size,
      payments: world.payments.size,
      payment_links: world.payment_links.size,
      identity_checks: world.identity_checks.size,
      accounts: world.accounts.size,
      webhook_endpoints: world.webhook_endpoints.size,
      events: world.events.size,
      pending_deliveries: world.deliveries.all().filter(({ resource }) => resource.status === 'pending').length,
    },
  };
}

const ADVANCE_FIELDS: readonly Field[] = [
  {
    path: 'by',
    type: said(z.string().check(z.regex(/^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d)$/)), 'a duration such as 72h'),
  },
  { path: 'seconds', type: said(z.number().check(z.gte(0)), 'a number of seconds from 0') },
  { path: 'to', type: instant },
];

/** Runs what becomes due on the way, each thing at its instant (sandbox.md#virtual-clock). */
async function advance(world: World, log: RequestLog, call: Call): Promise<Answer> {
  const { body } = call;
  judgeTypes(body, ADVANCE_FIELDS);
  const given = ['by', 'seconds', 'to'].filter((name) => at(body, name) !== undefined);
  if (given.length === 0) throw refuse('parameter_missing', 'Missing required parameter: by, seconds or to.', 'by');
  if (given.length > 1) throw refuse('parameter_invalid', 'Send one of by, seconds and to.', given[1]);
  const { from, to, fired } = await world.clock.advance((now) => targetOf(body, now));
  const answer = { now: isoSeconds(to), advanced_seconds: Math.floor((to - from) / 1000), fired };
  log.say('clock', () => JSON.stringify(answer));
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
  { path: 'seed', type: text },
  { path: 'keep', type: list },
];

function reset(world: World, tools: AdminTools, call: Call): Answer {
  judgeTypes(call.body, RESET_FIELDS);
  const keep = at(call.body, 'keep');
  const kinds = Array.isArray(keep) ? keep.map(String) : [];
  const other = kinds.find((kind) => kind !== 'webhook_endpoints');
  if (other !== undefined) throw refuse('parameter_invalid', 'Only webhook_endpoints can be kept.', 'keep');
  const seed = at(call.body, 'seed');
  tools.reset(typeof seed === 'string' ? seed : null, kinds.length > 0);
  return json(200, health(world));
}
