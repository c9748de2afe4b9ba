/** The reference page at `/docs` (sandbox.md#start-up), made of the OpenAPI document's own parts. */
import { partnerRoute } from '../../contract/scopes.ts';
import type { SandboxAnswer } from '../http/call.ts';
import { at, type Field } from '../http/fields.ts';
import { html, htmlPage, type Markup } from '../pages/html.ts';
import { examples, type Examples } from './examples.ts';
import { type OperationRow, OPERATIONS } from './operations.ts';
import { BODIES, jsonSchema, type OpenApiSchema } from './component-schemas.ts';

export function referencePage(baseUrl: string): SandboxAnswer {
  const shown = examples();
  const tags = [...new Set(OPERATIONS.map(({ tag }) => tag))];
  return htmlPage(200, {
    title: 'API reference',
    body: html`<h1>Partner API reference</h1>
      <p>
        Base URL <code>${baseUrl}</code>. Every call below works here as it stands, <code>ID</code> being the id of
        something made before. The bearer is the secret key of project local; an access token does as well:
      </p>
      <pre><code>${tokenLine(baseUrl)}</code></pre>
      <p>The machine-readable form is <a href="/openapi.json">/openapi.json</a>.</p>
      <nav aria-label="Contents">
        <ul>
          ${tags.map((tag) => html`<li><a href="#${tag}">${tag}</a></li>`)}
        </ul>
      </nav>
      ${tags.map((tag) => section(tag, baseUrl, shown))}`,
  });
}

function section(tag: string, baseUrl: string, shown: Examples): Markup {
  const rows = OPERATIONS.filter((row) => row.tag === tag);
  return html`<section aria-labelledby="${tag}">
    <h2 id="${tag}">${tag}</h2>
    ${rows.map((row) => operation(row, baseUrl, shown))}
  </section>`;
}

function operation(row: OperationRow, baseUrl: string, shown: Examples): Markup {
  const { scope = '', perSecond } = partnerRoute(row.method, row.path) ?? {};
  const limit = perSecond === undefined ? '' : ` · at most ${perSecond} a second`;
  const example = row.answer.schema === undefined ? undefined : shown[row.answer.schema];
  return html`<article>
    <h3 id="${row.id}"><code>${row.method} /partner/v1${row.path}</code></h3>
    <p>${row.summary}. Answers ${row.answer.status}. Scope <code>${scope}</code>${limit}.</p>
    ${row.query === undefined ? [] : [html`<p>Query: <code>${row.query.map(({ path }) => path).join(', ')}</code></p>`]}
    ${row.body === undefined ? [] : [fieldList(BODIES[row.body.name])]}
    <pre><code>${curlLine(row, baseUrl)}</code></pre>
    ${example === undefined ? [] : [answerExample(example)]}
  </article>`;
}

function answerExample(example: object): Markup {
  return html`<details>
    <summary>Answer</summary>
    <pre><code>${JSON.stringify(example, null, 2)}</code></pre>
  </details>`;
}

function fieldList(fields: readonly Field[]): Markup {
  return html`<ul>
    ${fields.map(({ path, type, range, required }) => {
      const schema = jsonSchema(range ?? type);
      const says = String(schema['description']);
      return html`<li><code>${path}</code>: ${says}${required ? ', required' : ''}${boundsText(schema)}</li>`;
    })}
  </ul>`;
}

function boundsText(bounds: OpenApiSchema): string {
  const [least, most, length, only] = ['minimum', 'maximum', 'maxLength', 'const'].map((name) => at(bounds, name));
  if (only !== undefined) return `, only ${String(only)}`;
  if (length !== undefined) return `, at most ${String(length)} characters`;
  return least === undefined ? '' : `, ${String(least)} to ${String(most)}`;
}

function tokenLine(baseUrl: string): string {
  const form = ['grant_type=client_credentials', 'client_id=cid_sbx_local', 'client_secret=csk_sbx_local'];
  return `curl -s '${baseUrl}/partner/v1/oauth/token' ${form.map((part) => `-d ${part}`).join(' ')}`;
}

/** One line for a shell; `ID` stands for an id. */
function curlLine(row: OperationRow, baseUrl: string): string {
  const parts = ['curl -s', `-X ${row.method}`, `'${baseUrl}/partner/v1${row.path.replace('{id}', 'ID')}'`];
  parts.push(`-H 'Authorization: Bearer sk_test_local'`);
  if (row.body) parts.push(`-d '${JSON.stringify(row.body.example)}'`);
  return parts.join(' ');
}
