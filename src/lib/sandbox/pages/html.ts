/** HTML pages: no script, no outside resource, every value escaped (sandbox.md#journey-page). */
import type { SandboxAnswer } from '../http/call.ts';

/** Markup that is safe to put into a page as it is. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A template whose values are escaped, unless they are markup themselves. */
export function html(parts: TemplateStringsArray, ...values: (string | number | Markup | Markup[])[]): Markup {
  let text = parts[0] ?? '';
  for (const [i, value] of values.entries()) text += shown(value) + (parts[i + 1] ?? '');
  return new Markup(text);
}

function shown(value: string | number | Markup | Markup[]): string {
  if (value instanceof Markup) return value.text;
  return Array.isArray(value) ? value.map((part) => part.text).join('') : escape(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}

export interface PageFacts {
  title: string;
  body: Markup;
  /** Reload after so many seconds, while something can still move. */
  reload?: number;
  /** Where a form of the page ends up, besides the sandbox itself. */
  formTarget?: string | null;
}

/**
 * Under `no-referrer` a browser sends `Origin: null` with a page's own forms (Fetch §3.2), and the guard against other origins would
 * refuse them. This overrules the header within the sandbox only: the address that a form leads to learns nothing.
 */
const OWN_FORMS = new Markup('<meta name="referrer" content="same-origin" />');

/** The URL parser accepts `;` and `,` in a host; in a Content-Security-Policy header they would start another directive or policy. */
function isPlainOrigin(origin: string | null | undefined): boolean {
  return /^https?:\/\/[a-z0-9.:[\]_-]+$/i.test(origin ?? '');
}

/** A whole page as an answer. */
export function htmlPage(status: number, facts: PageFacts): SandboxAnswer {
  const refresh = facts.reload === undefined ? [] : [html`<meta http-equiv="refresh" content="${facts.reload}" />`];
  const document = html`<!doctype html>
    <html lang="en-GB">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${OWN_FORMS} ${refresh}
        <title>${facts.title} · Credicorp sandbox</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <p class="banner" role="note">Sandbox: nothing here is real, and no money moves.</p>
        <main>${facts.body}</main>
      </body>
    </html> `;
  const target = isPlainOrigin(facts.formTarget) ? ` ${facts.formTarget}` : '';
  return {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': `default-src 'none'; style-src 'unsafe-inline'; form-action 'self'${target}`,
      'Referrer-Policy': 'no-referrer',
      'X-Frame-Options': 'DENY',
      'Cache-Control': 'no-store',
    },
    body: document.text,
  };
}

/** A list of names and values. */
export function facts(rows: readonly (readonly [string, string])[]): Markup {
  const items = rows.map(
    ([name, value]) =>
      html`<div>
        <dt>${name}</dt>
        <dd>${value}</dd>
      </div>`,
  );
  return html`<dl>${items}</dl>`;
}

/** The browser goes on with a GET (RFC 9110 §15.4.4). */
export function seeOther(location: string): SandboxAnswer {
  return {
    status: 303,
    headers: { Location: location, 'Referrer-Policy': 'no-referrer', 'Cache-Control': 'no-store' },
    body: '',
  };
}

/** `uri` with members added to its query, those of the same name replaced. */
export function withQuery(uri: string, members: Record<string, string>): string {
  const url = new URL(uri);
  for (const [name, value] of Object.entries(members)) url.searchParams.set(name, value);
  return url.href;
}

const STYLE = new Markup(`
:root { color-scheme: light dark; font: 1.0625rem/1.5 system-ui, sans-serif; }
body { margin: 0; }
.banner { margin: 0; padding: .5rem 1rem; background: #5b21b6; color: #fff; text-align: center; font-weight: 600; }
main { max-width: 34rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
dl { margin: 1rem 0 1.5rem; }
dl div { display: grid; grid-template-columns: minmax(6rem, 9rem) 1fr; gap: 0 1rem; padding: .5rem 0; border-bottom: 1px solid #8885; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
form { margin: .75rem 0; }
button { font: inherit; width: 100%; min-height: 3rem; padding: .5rem 1rem; border: 2px solid #5b21b6; border-radius: .5rem;
  background: #5b21b6; color: #fff; cursor: pointer; }
button.quiet { background: transparent; color: inherit; border-color: currentColor; }
button:focus-visible, a:focus-visible { outline: 3px solid #f59e0b; outline-offset: 2px; }
code, pre { font-family: ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
.status { font-weight: 600; }
`);
