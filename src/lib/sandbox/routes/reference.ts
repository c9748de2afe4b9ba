/** What the sandbox says about itself to programs and people. Loaded when first asked for: it needs the schema library. */
import { json } from '../exchange.ts';
import type { Route } from '../router.ts';
import type { World } from '../world.ts';

export function referenceRoutes(world: World): Route[] {
  const { baseUrl, version } = world.settings;
  return [
    {
      method: 'GET',
      path: '/openapi.json',
      plane: 'page',
      handle: async () => {
        const { openapiDocument } = await import('../openapi/document.ts');
        return json(200, openapiDocument({ baseUrl, version }));
      },
    },
    {
      method: 'GET',
      path: '/docs',
      plane: 'page',
      handle: async () => {
        const { referencePage } = await import('../openapi/page.ts');
        return referencePage(baseUrl);
      },
    },
  ];
}
