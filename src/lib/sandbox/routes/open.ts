/** Keyless routes of the platform (partner-api.md#keyless-routes): always operational unless a fault is set. */
import { json } from '../exchange.ts';
import type { Route } from '../router.ts';

export function publicRoutes(): Route[] {
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
