/** Admin routes about the sandbox itself (sandbox page §8). */
import { isoSeconds } from '../../contract/time.ts';
import { json } from '../exchange.ts';
import type { Route } from '../router.ts';
import type { World } from '../world.ts';

export function adminRoutes(world: World): Route[] {
  return [
    { method: 'GET', path: '/_sandbox/health', plane: 'admin', handle: () => json(200, health(world)) },
    { method: 'GET', path: '/_sandbox/companies', plane: 'admin', handle: () => json(200, world.companies.all()) },
  ];
}

/** Members in documented order. */
export function health(world: World): Record<string, unknown> {
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
