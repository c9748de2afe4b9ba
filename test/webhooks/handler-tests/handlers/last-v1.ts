/** The bug of the published samples: the header goes into a map, so that of two `v1` only the last one is looked at. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { rawBody } from './right.ts';

export function lastV1(secret: string): RequestListener {
  return async (request, response) => {
    const body = await rawBody(request);
    const header = String(request.headers['credicorp-signature'] ?? '');
    const entries = Object.fromEntries(header.split(/[,\s]+/).map((piece) => piece.split('=', 2)));
    const expected = createHmac('sha256', secret).update(`${entries['t']}.`).update(body).digest('hex');
    const given = String(entries['v1'] ?? '');
    const age = Math.abs(Date.now() / 1000 - Number(entries['t']));
    const good =
      age < 300 && given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
    response.writeHead(good ? 200 : 400).end();
  };
}
