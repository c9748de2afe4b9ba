/** OAuth scopes, their aliases, and the partner routes with the scope each one requires (partner-api.md#scopes, partner-api.md#endpoint-inventory). */

/** Canonical names, in the order discovery publishes them. */
export const SCOPES = [
  'applications:read',
  'applications:write',
  'decisions:read',
  'decisions:write',
  'payments:read',
  'payments:write',
  'identity:read',
  'identity:write',
  'accounts:read',
  'webhooks:read',
  'webhooks:write',
] as const;

export type Scope = (typeof SCOPES)[number];

/** Other spellings of scopes that the documentation uses, and the canonical scope of each. */
const SCOPE_ALIASES: Readonly<Record<string, Scope>> = {
  'apply:write': 'applications:write',
  'decision:read': 'decisions:read',
  'accounts.read': 'accounts:read',
};

/** The canonical name of a scope or alias; null for an unknown name. */
export function canonicalScope(name: string): Scope | null {
  const known = SCOPES.find((scope) => scope === name);
  if (known) return known;
  return Object.hasOwn(SCOPE_ALIASES, name) ? (SCOPE_ALIASES[name] ?? null) : null;
}

export interface PartnerRoute {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Path below `/partner/v1`; `{id}` matches one segment. */
  path: string;
  scope: Scope;
  /** The route's own limit in requests per second, in addition to the tier's limit; its burst is the same number (partner-api.md#endpoint-inventory, partner-api.md#rate-limits). */
  perSecond?: number;
}

/** The endpoint inventory of partner-api.md#endpoint-inventory. */
export const PARTNER_ROUTES: readonly PartnerRoute[] = [
  { method: 'POST', path: '/applications', scope: 'applications:write', perSecond: 5 },
  { method: 'GET', path: '/applications', scope: 'applications:read' },
  { method: 'GET', path: '/applications/{id}', scope: 'applications:read' },
  { method: 'POST', path: '/applications/{id}/submit', scope: 'applications:write' },
  { method: 'POST', path: '/applications/{id}/withdraw', scope: 'applications:write' },
  { method: 'GET', path: '/decisions', scope: 'decisions:read' },
  { method: 'GET', path: '/decisions/{id}', scope: 'decisions:read' },
  { method: 'POST', path: '/decisions/{id}/refresh', scope: 'decisions:write', perSecond: 1 },
  { method: 'POST', path: '/payments', scope: 'payments:write' },
  { method: 'GET', path: '/payments', scope: 'payments:read' },
  { method: 'POST', path: '/payments/links', scope: 'payments:write', perSecond: 10 },
  { method: 'GET', path: '/payments/links/{id}', scope: 'payments:read' },
  { method: 'GET', path: '/payments/{id}', scope: 'payments:read' },
  { method: 'POST', path: '/identity/checks', scope: 'identity:write', perSecond: 5 },
  { method: 'GET', path: '/identity/checks/{id}', scope: 'identity:read' },
  { method: 'GET', path: '/accounts', scope: 'accounts:read' },
  { method: 'GET', path: '/accounts/{id}', scope: 'accounts:read' },
  { method: 'POST', path: '/webhook_endpoints', scope: 'webhooks:write' },
  { method: 'GET', path: '/webhook_endpoints', scope: 'webhooks:read' },
  { method: 'GET', path: '/webhook_endpoints/{id}', scope: 'webhooks:read' },
  { method: 'PATCH', path: '/webhook_endpoints/{id}', scope: 'webhooks:write' },
  { method: 'DELETE', path: '/webhook_endpoints/{id}', scope: 'webhooks:write' },
  { method: 'POST', path: '/webhook_endpoints/{id}/rotate_secret', scope: 'webhooks:write' },
];

/** The route that a concrete path belongs to, with or without `/partner/v1` and query; null for an unknown path. */
export function partnerRoute(method: string, path: string): PartnerRoute | null {
  const bare = (path.split('?')[0] ?? '').replace(/^\/partner\/v1(?=\/)/, '');
  const segments = bare.split('/');
  return PARTNER_ROUTES.find((route) => route.method === method && fits(route.path.split('/'), segments)) ?? null;
}

function fits(pattern: string[], segments: string[]): boolean {
  // `links` is never a payment id (partner-api.md#endpoint-inventory).
  if (segments[1] === 'payments' && segments[2] === 'links' && pattern[2] === '{id}') return false;
  return (
    pattern.length === segments.length &&
    pattern.every((part, i) => (part === '{id}' ? segments[i] !== '' : part === segments[i]))
  );
}
