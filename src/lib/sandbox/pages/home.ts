/** The front page: what the ready line says (sandbox.md#start-up). */
import { PROJECTS } from '../credentials.ts';
import type { Route } from '../router.ts';
import type { World } from '../world.ts';
import { facts, html, page } from './html.ts';

export function homeRoutes(world: World): Route[] {
  return [{ method: 'GET', path: '/', plane: 'page', handle: () => show(world) }];
}

function show(world: World): ReturnType<typeof page> {
  const projects = PROJECTS.map(
    ({ name, clientId, clientSecret, secretKey }) =>
      html`<h2>Project ${name}</h2>
        ${facts([
          ['Client id', clientId],
          ['Client secret', clientSecret],
          ['Secret key', secretKey],
        ])}`,
  );
  return page(200, {
    title: 'Ready',
    body: html`<h1>The Credicorp sandbox is ready</h1>
      ${facts([
        ['Base URL', world.settings.baseUrl],
        ['Seed', world.seed],
        ['Tier of local', world.settings.tier],
      ])}
      ${projects}
      <p><a href="/docs">API reference</a> · <a href="/openapi.json">OpenAPI document</a></p>`,
  });
}
