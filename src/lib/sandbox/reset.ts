/** Begins anew (sandbox.md#admin-routes): everything goes but, if asked, the webhook endpoints. */
import { createIdentifiers } from './identifiers.ts';
import { createKeyring } from './keyring.ts';
import { RECORD_KINDS, save, type World } from './world.ts';

/** The same seed tells the same story again; another one is given by name. */
export function resetWorld(world: World, seed: string | null, keepEndpoints: boolean): void {
  const endpoints = keepEndpoints ? [...world.webhook_endpoints.all()] : [];
  world.ledger.clear();
  for (const kind of RECORD_KINDS) world[kind].clear();
  world.keys.clear();
  world.revoked = { tokens: new Set(), clients: new Set() };
  world.seed = seed ?? world.seed;
  world.ids = createIdentifiers(world.seed);
  world.keyring = createKeyring(world.seed, world.settings.jwtAlg);
  world.gate.forget();
  world.ledger.put('state', 'seed', { seed: world.seed });
  if (world.settings.jwtAlg === 'RS256')
    world.ledger.put('state', 'keys', (world.keyring.current(), world.keyring.save()));
  world.clock.restart();
  for (const endpoint of endpoints) {
    endpoint.failingSince = null;
    save(world, 'webhook_endpoints', world.webhook_endpoints.add(endpoint));
  }
}
