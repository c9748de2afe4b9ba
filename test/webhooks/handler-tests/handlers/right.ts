/** A handler that does everything right: raw bytes, every v1, strict time, constant time, event ids remembered. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener } from 'node:http';

export function right(secret: string): RequestListener {
  const seen = new Set<string>();
  return async (request, response) => {
    const body = await rawBody(request);
    if (!isGenuine(String(request.headers['credicorp-signature'] ?? ''), body, secret)) {
      response.writeHead(400).end();
      return;
    }
    const event = parse(body);
    if (event === null) {
      response.writeHead(400).end();
      return;
    }
    // A repetition is answered like the first, and nothing is done twice.
    seen.add(event.id);
    response.writeHead(204).end();
  };
}

function isGenuine(header: string, body: Buffer, secret: string): boolean {
  const pieces = header.split(/[,\s]+/).filter((piece) => piece !== '');
  const values = (name: string): string[] =>
    pieces.filter((piece) => piece.startsWith(`${name}=`)).map((piece) => piece.slice(name.length + 1));
  const [t, ...more] = values('t');
  if (t === undefined || more.length > 0 || !/^\d{1,12}$/.test(t)) return false;
  if (Math.abs(Date.now() / 1000 - Number(t)) >= 300) return false;
  const expected = createHmac('sha256', secret).update(`${t}.`).update(body).digest();
  return values('v1').some(
    (value) => /^[0-9a-f]{64}$/.test(value) && timingSafeEqual(Buffer.from(value, 'hex'), expected),
  );
}

function parse(body: Buffer): { id: string } | null {
  try {
    const event = JSON.parse(body.toString());
    return typeof event?.id === 'string' ? event : null;
  } catch {
    return null;
  }
}

export async function rawBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
