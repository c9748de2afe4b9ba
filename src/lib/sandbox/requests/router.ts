/** Finds the route of a request: hono's router over one table, so that a wrong method (405) differs from an unknown path (404). */
import { PatternRouter } from 'hono/router/pattern-router';
import { partnerRoute, type Scope } from '../../contract/scopes.ts';
import type { SandboxCall, Outgoing } from '../http/call.ts';
import type { SubLimit } from '../state/rate-limits.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/**
 * Who may call a route and what its errors look like: `partner` asks for a bearer, `token` for client authentication, `open` and `public` for
 * nothing, `page` is for people, `admin` for this machine only.
 */
export type Plane = 'partner' | 'token' | 'open' | 'public' | 'page' | 'admin';

export type Handle = (call: SandboxCall) => Outgoing | Promise<Outgoing>;

export interface SandboxRoute {
  method: Method;
  /** `:id` stands for one segment. */
  path: string;
  plane: Plane;
  handle: Handle;
}

export interface ScopedRoute extends SandboxRoute {
  scope: Scope | null;
  /** The limit of this route alone, where it has one (partner-api.md#endpoint-inventory). */
  sub: SubLimit | undefined;
}

export type RouteMatch =
  { route: ScopedRoute; params: Record<string, string> } | { allow: string } | { route: null; allow?: undefined };

export interface RouteTable {
  find(method: string, path: string): RouteMatch;
}

/** Fixed paths are looked up before patterns, and earlier patterns win where two fit. */
export function createRouter(routes: readonly SandboxRoute[]): RouteTable {
  const fixed = new Map<string, Methods>();
  const patterns = new Map<string, Methods>();
  for (const route of routes) {
    const paths = route.path.includes(':') ? patterns : fixed;
    const methods = paths.get(route.path) ?? new Map<string, ScopedRoute>();
    methods.set(route.method, place(route));
    paths.set(route.path, methods);
  }
  const router = new PatternRouter<Methods>();
  for (const [path, methods] of patterns) router.add('ALL', path, methods);
  return {
    find(method, path) {
      const exact = fixed.get(path);
      if (exact) return choose(exact, method, {});
      // A path with a slash at its end is another path.
      const [first] = path.endsWith('/') ? [] : router.match('ALL', path)[0];
      return first === undefined ? { route: null } : choose(first[0], method, first[1]);
    },
  };
}

type Methods = Map<string, ScopedRoute>;

function choose(methods: Methods, method: string, found: Readonly<Record<string, string | number>>): RouteMatch {
  // HEAD answers as GET without a body (sandbox.md#start-up).
  const route = methods.get(method === 'HEAD' ? 'GET' : method);
  if (route === undefined) return { allow: allowed(methods) };
  const params: Record<string, string> = {};
  for (const name in found) params[name] = decoded(String(found[name]));
  return { route, params };
}

function place(route: SandboxRoute): ScopedRoute {
  if (route.plane !== 'partner') return { ...route, scope: null, sub: undefined };
  const row = partnerRoute(route.method, route.path);
  if (row === null) throw new Error(`${route.method} ${route.path} is not in the inventory of partner routes`);
  const { scope, perSecond } = row;
  const sub = perSecond === undefined ? undefined : { route: `${route.method} ${route.path}`, perSecond };
  return { ...route, scope, sub };
}

function allowed(methods: Methods): string {
  return [...methods.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
}

/** A segment that is not properly encoded is used as it is: no object has such an id. */
function decoded(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
