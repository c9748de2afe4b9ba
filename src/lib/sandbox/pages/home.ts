/** The front page: what the ready line says (sandbox.md#start-up). */
import { PROJECTS } from '../token/authenticator.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { SandboxState } from '../state/state.ts';
import { facts, html, htmlPage } from './html.ts';

export function homeRoutes(state: SandboxState): SandboxRoute[] {
  return [{ method: 'GET', path: '/', plane: 'page', handle: () => show(state) }];
}

function show(state: SandboxState): ReturnType<typeof htmlPage> {
  const projects = PROJECTS.map(
    ({ name, clientId, clientSecret, secretKey }) =>
      html`<h2>Project ${name}</h2>
        ${facts([
          ['Client id', clientId],
          ['Client secret', clientSecret],
          ['Secret key', secretKey],
        ])}`,
  );
  return htmlPage(200, {
    title: 'Ready',
    body: html`<h1>The Credicorp sandbox is ready</h1>
      ${facts([
        ['Base URL', state.settings.baseUrl],
        ['Seed', state.seed],
        ['Tier of local', state.settings.tier],
      ])}
      ${projects}
      <p><a href="/docs">API reference</a> · <a href="/openapi.json">OpenAPI document</a></p>`,
  });
}
