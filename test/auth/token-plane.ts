/** A token plane for tests: a real server that counts requests and gives the configured answers. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Send } from '../../src/lib/contract/exchange.ts';
import { Failure } from '../../src/lib/failure.ts';

export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  form: Record<string, string>;
}

export interface TokenPlane {
  base: string;
  /** Every token request, in order. */
  asked: Asked[];
  close(): void;
}

/** `answer` says what a token request gets; `discovery` what the metadata route serves (404 without). */
export async function tokenPlane(
  answer: (asked: Asked, response: ServerResponse, count: number) => void = grant(),
  discovery: ((base: string) => unknown) | null = null,
): Promise<TokenPlane> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    if (path === '/.well-known/oauth-authorization-server') {
      response.writeHead(discovery === null ? 404 : 200, { 'content-type': 'application/json' });
      const document = discovery?.(base);
      response.end(typeof document === 'string' ? document : JSON.stringify(document ?? {}));
      return;
    }
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    const one = { method: request.method ?? '', path, headers: request.headers, form };
    asked.push(one);
    answer(one, response, asked.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    base,
    asked,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Gives out `token-1`, `token-2`, … */
export function grant(
  members: Record<string, unknown> = {},
): (asked: Asked, response: ServerResponse, count: number) => void {
  return (_asked, response, count) =>
    say(response, 200, { access_token: `token-${count}`, token_type: 'Bearer', expires_in: 3600, ...members });
}

export function say(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** One request, once, without following redirects. */
export const send: Send = async (request) => {
  try {
    const answer = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(request.timeoutMs ?? 10_000),
      ...(typeof request.body === 'string' ? { body: request.body } : {}),
    });
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
  } catch (error) {
    throw new Failure('unavailable', 'no answer', { code: 'no_answer' }, error);
  }
};
