/** Every route of the sandbox. The order matters where two fit: `links` is never a payment id. */
import { json } from './http/call.ts';
import { homeRoutes } from './pages/home.ts';
import { journeyRoutes } from './pages/journey.ts';
import { payRoutes } from './pages/pay.ts';
import type { Route } from './requests/router.ts';
import { accountRoutes } from './routes/accounts.ts';
import { acountpayRoutes } from './routes/acountpay.ts';
import { adminEventRoutes } from './routes/admin-events.ts';
import { faultRoutes } from './routes/admin-faults.ts';
import { logRoutes } from './routes/admin-log.ts';
import { actRoutes, adminRoutes, type AdminTools } from './routes/admin.ts';
import { applicationRoutes } from './routes/applications.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { identityRoutes } from './routes/identity-checks.ts';
import { linkRoutes, paymentRoutes } from './routes/payments.ts';
import { tokenRoutes } from './routes/oauth.ts';
import type { Faults } from './state/fault-injection.ts';
import type { Limits } from './state/rate-limits.ts';
import type { SandboxState } from './state/state.ts';

export interface RouteTools extends AdminTools {
  limits: Limits;
  faults: Faults;
}

export function routesOf(state: SandboxState, tools: RouteTools): Route[] {
  const served =
    state.settings.provider === 'acountpay' ? acountpayRoutes(state, tools.limits) : ownRoutes(state, tools);
  return [
    ...served,
    ...adminRoutes(state, tools),
    ...actRoutes(state, tools.faults),
    ...adminEventRoutes(state),
    ...faultRoutes(state, tools.faults),
    ...logRoutes(state, tools.log),
  ];
}

function ownRoutes(state: SandboxState, tools: RouteTools): Route[] {
  return [
    ...tokenRoutes(state, tools.limits),
    ...applicationRoutes(state),
    ...decisionRoutes(state),
    ...linkRoutes(state),
    ...paymentRoutes(state),
    ...identityRoutes(state),
    ...accountRoutes(state),
    ...endpointRoutes(state),
    ...publicRoutes(),
    ...homeRoutes(state),
    ...referenceRoutes(state),
    ...journeyRoutes(state),
    ...payRoutes(state, tools.faults),
  ];
}

// Keyless routes of the platform (partner-api.md#keyless-routes): always operational unless a fault is set.

function publicRoutes(): Route[] {
  return [
    { method: 'GET', path: '/public/v1/healthz', plane: 'public', handle: () => json(200, { status: 'ok' }) },
    {
      method: 'GET',
      path: '/public/v1/status',
      plane: 'public',
      handle: () => json(200, { status: 'operational', components: [{ name: 'Apply', status: 'operational' }] }),
    },
  ];
}

// What the sandbox says about itself to programs and people. Loaded when first asked for: it needs the schema library.

function referenceRoutes(state: SandboxState): Route[] {
  const { baseUrl, version } = state.settings;
  return [
    {
      method: 'GET',
      path: '/openapi.json',
      plane: 'page',
      handle: async () => {
        const { openapiDocument } = await import('./openapi/document.ts');
        return json(200, openapiDocument({ baseUrl, version }));
      },
    },
    {
      method: 'GET',
      path: '/docs',
      plane: 'page',
      handle: async () => {
        const { referencePage } = await import('./openapi/reference-page.ts');
        return referencePage(baseUrl);
      },
    },
  ];
}
