/** The bug of body parsers: the signature is checked over JSON that was parsed and written again. */
import { createHmac } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { rawBody } from './right.ts';

export function parsedBody(secret: string): RequestListener {
  return async (request, response) => {
    try {
      const event = JSON.parse((await rawBody(request)).toString());
      const header = String(request.headers['credicorp-signature'] ?? '');
      const t = /t=(\d+)/.exec(header)?.[1] ?? '';
      const expected = createHmac('sha256', secret)
        .update(`${t}.${JSON.stringify(event)}`)
        .digest('hex');
      const given = [...header.matchAll(/v1=([0-9a-f]{64})(?![0-9a-f])/g)].map((match) => match[1]);
      const fresh = Math.abs(Date.now() / 1000 - Number(t)) < 300;
      response.writeHead(fresh && given.includes(expected) ? 200 : 400).end();
    } catch {
      response.writeHead(400).end();
    }
  };
}
