/** Every route of the sandbox. The order matters where two fit: `links` is never a payment id. */
import { acountpayRoutes } from './acountpay/payments.ts';
import type { Faults } from './faults.ts';
import type { Limits } from './limits.ts';
import { homeRoutes } from './pages/home.ts';
import { journeyRoutes } from './pages/journey.ts';
import { payRoutes } from './pages/pay.ts';
import type { Route } from './router.ts';
import { accountRoutes } from './routes/accounts.ts';
import { actRoutes } from './routes/admin-acts.ts';
import { adminEventRoutes } from './routes/admin-events.ts';
import { faultRoutes } from './routes/admin-faults.ts';
import { logRoutes } from './routes/admin-log.ts';
import { adminRoutes, type AdminTools } from './routes/admin.ts';
import { applicationRoutes } from './routes/applications.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { identityRoutes } from './routes/identity.ts';
import { linkRoutes } from './routes/links.ts';
import { publicRoutes } from './routes/open.ts';
import { referenceRoutes } from './routes/reference.ts';
import { paymentRoutes } from './routes/payments.ts';
import { tokenRoutes } from './routes/token.ts';
import type { World } from './world.ts';

export interface RouteTools extends AdminTools {
  limits: Limits;
  faults: Faults;
}

export function routesOf(world: World, tools: RouteTools): Route[] {
  const served =
    world.settings.provider === 'acountpay' ? acountpayRoutes(world, tools.limits) : ownRoutes(world, tools);
  return [
    ...served,
    ...adminRoutes(world, tools),
    ...actRoutes(world, tools.faults),
    ...adminEventRoutes(world),
    ...faultRoutes(world, tools.faults),
    ...logRoutes(world, tools.log),
  ];
}

function ownRoutes(world: World, tools: RouteTools): Route[] {
  return [
    ...tokenRoutes(world, tools.limits),
    ...applicationRoutes(world),
    ...decisionRoutes(world),
    ...linkRoutes(world),
    ...paymentRoutes(world),
    ...identityRoutes(world),
    ...accountRoutes(world),
    ...endpointRoutes(world),
    ...publicRoutes(),
    ...homeRoutes(world),
    ...referenceRoutes(world),
    ...journeyRoutes(world),
    ...payRoutes(world, tools.faults),
  ];
}
