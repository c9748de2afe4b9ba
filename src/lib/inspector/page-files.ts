/** The page's files, read once and answered as they are. They hold no data, so they need no token. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface PageFile {
  type: string;
  body: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** By path; `/` is `index.html`. */
export async function readPage(folder: string): Promise<Map<string, PageFile>> {
  const names = (await readdir(folder)).filter((name) => typeOf(name) !== null);
  const files = names.map(async (name) => {
    const file = { type: typeOf(name) ?? '', body: await readFile(join(folder, name)) };
    return [name === 'index.html' ? '/' : `/${name}`, file] as const;
  });
  return new Map(await Promise.all(files));
}

function typeOf(name: string): string | null {
  return TYPES[/^[a-z]+\.([a-z]+)$/.exec(name)?.[1] ?? ''] ?? null;
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
