/**
 * What every request goes through, in the order of partner-api.md#requests-and-responses: route, credential, rate limit, scope, idempotency, JSON syntax,
 * then the handler, which checks fields and state. Refusals become envelopes here, and every answer gets its request-id headers.
 */
import { isUtf8 } from 'node:buffer';
import { problem } from '../../contract/problem.ts';
import { bearsToken, hasForeignOrigin, isForeignPage, isLocalCaller } from '../../http-server/access.ts';
import { type SandboxAnswer, SandboxCall, DROPPED, type SandboxRequest, json, type Outgoing } from '../http/call.ts';
import { andFinally, andThen, type MaybePromise } from '../http/maybe-promise.ts';
import { Refusal, refusalAnswer, refuse } from '../http/refusal.ts';
import { answerInstead, applyAfterAnswer, delayOf, type Fault, faultFor } from '../state/fault-injection.ts';
import { bodyOf, nameOf, readKey } from '../state/idempotent-answers.ts';
import type { KeptAnswer } from '../state/objects.ts';
import { rateHeaders } from '../state/rate-limits.ts';
import { flush, type SandboxState } from '../state/state.ts';
import type { RequestLog } from './request-log.ts';
import type { RouteMatch, ScopedRoute, RouteTable } from './router.ts';

export interface PipelineParts {
  state: SandboxState;
  routes: RouteTable;
  log: RequestLog;
}

export type Pipeline = (request: SandboxRequest) => MaybePromise<Outgoing>;

export function createPipeline(parts: PipelineParts): Pipeline {
  const { state, routes } = parts;
  return (request) => {
    const startedAt = state.settings.now();
    const found = routes.find(request.method, request.path);
    const call = openCall(state, request, found);
    return andThen(answer(parts, call, found), (given) => {
      const writeError = flush(state);
      const outgoing = writeError === null || onlyReads(found) ? given : refusalAnswer(call, unwritten(writeError));
      if (outgoing !== DROPPED) finishHeaders(state, call, outgoing);
      const isAdmin = 'route' in found && found.route?.plane === 'admin';
      if (!isAdmin) parts.log.write(call, outgoing, startedAt);
      return outgoing;
    });
  };
}

function openCall(state: SandboxState, request: SandboxRequest, found: RouteMatch): SandboxCall {
  const requestId = hasOwnCounter(request.path) ? state.ids.adminRequest() : state.ids.next('req_');
  return new SandboxCall(request, requestId, 'params' in found ? found.params : NO_PARAMS);
}

const NO_PARAMS = {};

/** The error answer to bytes that are no readable request. */
export function unreadable(state: SandboxState, status: number, message: string): SandboxAnswer {
  const requestId = state.ids.adminRequest();
  const { body } = problem('invalid_request', { message, status, requestId, environment: 'sandbox' });
  const ids = { 'Credicorp-Request-Id': requestId, 'x-credicorp-request-id': requestId };
  return json(status, body, { ...ids, ...rateHeaders(state.limits.show('local')) });
}

/** Pages and admin routes draw their request ids from a counter of their own (sandbox.md#determinism). */
function hasOwnCounter(path: string): boolean {
  if (path.startsWith('/partner/')) return false;
  return path === '/' || /^\/(?:_sandbox|apply|pay|docs|openapi\.json)(?:\/|$)/.test(path);
}

function finishHeaders(state: SandboxState, call: SandboxCall, { headers }: SandboxAnswer): void {
  headers['Credicorp-Request-Id'] = call.requestId;
  headers['x-credicorp-request-id'] = call.requestId;
  if (headers['RateLimit-Limit'] === undefined) {
    call.rate ??= state.limits.show('local');
    Object.assign(headers, rateHeaders(call.rate));
  }
}

function answer(parts: PipelineParts, call: SandboxCall, found: RouteMatch): MaybePromise<Outgoing> {
  try {
    parts.state.clock.settle();
    if (!('params' in found)) throw unrouted(call, found.allow);
    const outgoing = pass(parts, call, found.route);
    return outgoing instanceof Promise ? outgoing.catch((error: unknown) => refusalAnswer(call, error)) : outgoing;
  } catch (error) {
    return refusalAnswer(call, error);
  }
}

function unrouted({ request }: SandboxCall, allow: string | undefined): Refusal {
  if (allow === undefined) {
    return refuse('invalid_request', `There is no route ${request.path.slice(0, 200)}.`, undefined, { status: 404 });
  }
  return refuse('invalid_request', `${request.method} is not allowed here. Allowed: ${allow}.`, undefined, {
    status: 405,
    headers: { Allow: allow },
  });
}

function pass(parts: PipelineParts, call: SandboxCall, route: ScopedRoute): MaybePromise<Outgoing> {
  if (route.plane === 'admin') return admit(parts, call, route);
  refuseForeignPage(parts.state, call);
  const fault = faultFor(parts.state, call);
  const instead = fault && answerInstead(call, fault);
  if (instead) return instead;
  if (route.plane === 'partner') return passPartner(parts, call, route, fault);
  if (route.plane === 'public') call.rate = parts.state.limits.visit(call.request.peer, route.path);
  if (route.plane === 'page') refuseForeignForm(parts.state, call);
  if (call.request.body === 'too_large') throw tooLarge();
  return andThen(
    andThen(delayOf(fault), () => route.handle(call)),
    (given) => applyAfterAnswer(fault, given),
  );
}

function passPartner(
  parts: PipelineParts,
  call: SandboxCall,
  route: ScopedRoute,
  fault: Fault | null,
): MaybePromise<Outgoing> {
  const { state } = parts;
  const credential = state.authenticator.admit(call.request.authorization, state.clock.now());
  const { project } = credential;
  call.credential = credential;
  call.scope = route.scope;
  call.rate = state.limits.take(project, route.sub);
  state.limits.enter(project);
  return andFinally(
    () => {
      if (route.scope !== null && !credential.scopes.has(route.scope)) throw lacking(route.scope);
      return execute(parts, call, route, fault);
    },
    () => state.limits.leave(project),
  );
}

/** Idempotency, then the body, then the handler; the answer is stored before a fault changes it. */
function execute(
  parts: PipelineParts,
  call: SandboxCall,
  route: ScopedRoute,
  fault: Fault | null,
): MaybePromise<Outgoing> {
  const { body } = call.request;
  if (body === 'too_large') throw tooLarge();
  const perform = (): MaybePromise<Outgoing> => andThen(delayOf(fault), () => performed(call, route, body));
  call.idempotencyKey = route.method === 'GET' ? null : readKey(call);
  if (call.idempotencyKey === null) return andThen(perform(), (given) => applyAfterAnswer(fault, given));
  const turn = claimKey(parts.state, call, call.idempotencyKey, body);
  if ('kept' in turn) return applyAfterAnswer(fault, replay(call, turn.kept));
  const settle = (given: Outgoing | null): void =>
    turn.claim.settle(given === DROPPED ? null : given, call.resourceIds);
  return andThen(andFinally(perform, settle), (given) => applyAfterAnswer(fault, given));
}

function performed(call: SandboxCall, route: ScopedRoute, body: Uint8Array | null): MaybePromise<Outgoing> {
  try {
    if (route.method === 'POST' || route.method === 'PATCH') call.body = parseBody(body);
    return route.handle(call);
  } catch (error) {
    return refusalAnswer(call, error);
  }
}

function claimKey(
  state: SandboxState,
  call: SandboxCall,
  key: string,
  body: Uint8Array | null,
): ReturnType<SandboxState['keys']['claim']> {
  const { method, path } = call.request;
  return state.keys.claim(nameOf(call.credential?.project ?? 'local', method, path, key), body, state.clock.now());
}

function replay(call: SandboxCall, kept: KeptAnswer): SandboxAnswer {
  call.replayed = true;
  call.resourceIds = kept.resourceIds === '' ? [] : kept.resourceIds.split(' ');
  const body = bodyOf(kept);
  const type = body === '' ? {} : { 'Content-Type': 'application/json' };
  return { status: kept.status, headers: { ...type, 'Idempotency-Replayed': 'true' }, body };
}

/** Parsed as JSON whatever `Content-Type` says (partner-api.md#requests-and-responses). Undefined for no body. @throws Refusal 400 */
function parseBody(body: Uint8Array | null | 'too_large'): unknown {
  if (body === 'too_large') throw tooLarge();
  if (body === null || body.length === 0) return undefined;
  try {
    if (!isUtf8(body)) throw new SyntaxError('not UTF-8');
    const value: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    throw refuse('invalid_request', 'The body is not valid JSON.');
  }
  throw refuse('invalid_request', 'The body must be a JSON object.');
}

/** Admin routes: this machine only, the admin token where there is one, no rate limit, no log, no faults (sandbox.md#admin-routes). */
function admit(parts: PipelineParts, call: SandboxCall, route: ScopedRoute): MaybePromise<Outgoing> {
  const { request } = call;
  const { logToken, adminToken } = parts.state.settings;
  const mayRead = route.path.startsWith('/_sandbox/requests') && bearsToken(request.authorization, logToken);
  if (!mayRead && !isLocalCaller(request)) {
    throw refuse('loopback_only', 'Admin routes answer on the machine of the sandbox only, called by a loopback name.');
  }
  if (!mayRead && adminToken !== undefined && !bearsToken(request.authorization, adminToken)) {
    throw refuse('admin_token_required', 'This sandbox answers admin routes only with its admin token as bearer.');
  }
  if (route.method === 'POST') call.body = parseBody(request.body);
  return route.handle(call);
}

/** Refuses calls by web pages of other sites (DNS rebinding included), unless the sandbox listens for other machines. */
function refuseForeignPage({ settings }: SandboxState, { request }: SandboxCall): void {
  if (settings.anyName || !isForeignPage(request, settings.baseUrl)) return;
  throw refuse(
    'loopback_only',
    'This sandbox listens for its own machine, and the Host or Origin names another site. Call it as 127.0.0.1, or start it with --host.',
  );
}

function refuseForeignForm(state: SandboxState, call: SandboxCall): void {
  if (call.request.method === 'POST' && hasForeignOrigin(call.request, state.settings.baseUrl)) {
    throw refuse('invalid_request', 'A page of another origin cannot act here.', undefined, { status: 403 });
  }
}

/** What acknowledges nothing is answered on a full disk too. */
function onlyReads(found: RouteMatch): boolean {
  return !('params' in found) || found.route.method === 'GET' || found.route.plane === 'token';
}

/** Nothing is acknowledged that is not on disk (sandbox.md#persistence). */
function unwritten(writeError: string): Refusal {
  return refuse('service_unavailable', `The data file of the sandbox could not be written: ${writeError}.`);
}

function lacking(scope: string): Refusal {
  return refuse('insufficient_scope', `This route needs the scope ${scope}.`);
}

function tooLarge(): Refusal {
  return refuse('payload_too_large', 'The body is over 64 KiB.');
}
