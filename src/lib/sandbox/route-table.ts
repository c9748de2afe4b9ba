/** Every route of the sandbox. The order matters where two fit: `links` is never a payment id. */
import { json } from './http/call.ts';
import { homeRoutes } from './pages/home.ts';
import { journeyRoutes } from './pages/journey.ts';
import { payRoutes } from './pages/pay.ts';
import type { SandboxRoute } from './requests/router.ts';
import { accountRoutes } from './routes/accounts.ts';
import { acountpayRoutes } from './routes/acountpay.ts';
import { adminEventRoutes } from './routes/admin-events.ts';
import { faultRoutes } from './routes/admin-faults.ts';
import { logRoutes } from './routes/admin-log.ts';
import { actRoutes, adminRoutes, type AdminTools } from './routes/admin.ts';
import { applicationRoutes } from './routes/applications.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { endpointRoutes } from './routes/webhook-endpoints.ts';
import { identityRoutes } from './routes/identity-checks.ts';
import { linkRoutes, paymentRoutes } from './routes/payments.ts';
import { tokenRoutes } from './routes/oauth.ts';
import type { SandboxState } from './state/state.ts';

export function routesOf(state: SandboxState, tools: AdminTools): SandboxRoute[] {
  const served = state.settings.provider === 'acountpay' ? acountpayRoutes(state) : ownRoutes(state);
  return [
    ...served,
    ...adminRoutes(state, tools),
    ...actRoutes(state),
    ...adminEventRoutes(state),
    ...faultRoutes(state),
    ...logRoutes(state, tools.log),
  ];
}

function ownRoutes(state: SandboxState): SandboxRoute[] {
  return [
    ...tokenRoutes(state),
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
    ...payRoutes(state),
  ];
}

// Keyless routes of the platform (partner-api.md#keyless-routes): always operational unless a fault is set.

function publicRoutes(): SandboxRoute[] {
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

// The API reference, as an OpenAPI document and as a page. Loaded when first asked for: it needs the schema library.

function referenceRoutes(state: SandboxState): SandboxRoute[] {
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
