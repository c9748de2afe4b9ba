/** The page's files, read once and answered as they are. They hold no data, so they need no token. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface PageFile {
  type: string;
  body: Buffer;
}

const FILES: readonly (readonly [path: string, name: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/style.css', 'style.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/list.js', 'list.js', 'text/javascript; charset=utf-8'],
  ['/table.js', 'table.js', 'text/javascript; charset=utf-8'],
  ['/detail.js', 'detail.js', 'text/javascript; charset=utf-8'],
  ['/stream.js', 'stream.js', 'text/javascript; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
];

/** By path. */
export async function readPage(folder: string): Promise<Map<string, PageFile>> {
  const files = FILES.map(
    async ([path, name, type]) => [path, { type, body: await readFile(join(folder, name)) }] as const,
  );
  return new Map(await Promise.all(files));
}

/** Nothing but the page's own files runs, nothing from elsewhere is loaded, and no text ever becomes markup. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};
