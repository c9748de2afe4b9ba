/** The bugs of eagerness: unknown types are an error, a repetition breaks a unique key, and a strange signature throws. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { isEventType } from '../../../../src/lib/contract/events.ts';
import { rawBody } from './right.ts';

export function fragile(secret: string): RequestListener {
  const rows = new Set<string>();
  return async (request, response) => {
    try {
      const body = await rawBody(request);
      const pieces = String(request.headers['credicorp-signature'] ?? '').split(/[,\s]+/);
      const t = Number(pieces.find((piece) => piece.startsWith('t='))?.slice(2));
      const expected = createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex');
      const given = pieces.filter((piece) => piece.startsWith('v1=')).map((piece) => piece.slice(3));
      if (given.length === 0 || Math.abs(Date.now() / 1000 - t) >= 300) throw new Error('bad request');
      // timingSafeEqual throws on unequal lengths.
      if (!given.some((value) => timingSafeEqual(Buffer.from(value), Buffer.from(expected)))) {
        response.writeHead(400).end();
        return;
      }
      const event = JSON.parse(body.toString());
      if (!isEventType(event.type)) throw new Error(`unknown type ${event.type}`);
      if (rows.has(event.id)) throw new Error('duplicate key');
      rows.add(event.id);
      response.writeHead(200).end();
    } catch {
      response.writeHead(500).end();
    }
  };
}
