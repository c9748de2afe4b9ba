/** Reads a request body whole, as it is, within limits: its size, and the memory all unfinished bodies take together. */
import type { IncomingMessage } from 'node:http';

export interface BodyLimits {
  /** The largest body accepted, in bytes. */
  bodyBytes: number;
  /** What all bodies that are not yet released may hold together, in bytes. Default: no limit. */
  heldBytes?: number;
}

export interface WholeBody {
  body: Buffer;
  /** The body is no longer needed. */
  release: () => void;
}

/** Over its own limit; over the limit of all together; its sender stopped or went away. */
export type BodyFailure = 'too_large' | 'too_many' | 'cut_off';

export type ReadBody = (request: IncomingMessage) => Promise<WholeBody | BodyFailure>;

/** One reader for each server: the memory is counted over all its requests. How long a sender may take is the server's `requestTimeout`. */
export function createBodyReader(limits: BodyLimits): ReadBody {
  const { bodyBytes, heldBytes = Infinity } = limits;
  let held = 0;
  return (request) =>
    new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const settle = (result: WholeBody | BodyFailure): void => {
        request.off('data', take).off('end', end).off('error', cut).off('close', cut);
        if (typeof result === 'string') held -= size;
        resolve(result);
      };
      const take = (chunk: Buffer): void => {
        size += chunk.length;
        held += chunk.length;
        chunks.push(chunk);
        if (size > bodyBytes) settle('too_large');
        else if (held > heldBytes) settle('too_many');
      };
      const end = (): void => {
        const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
        settle({ body, release: () => void (held -= size) });
      };
      const cut = (): void => settle('cut_off');
      if (announcesMore(request, bodyBytes)) return settle('too_large');
      return void request.on('data', take).on('end', end).on('error', cut).on('close', cut);
    });
}

/** True when `Content-Length` is over this many bytes. */
export function announcesMore({ headers }: IncomingMessage, bytes: number): boolean {
  return Number(headers['content-length'] ?? 0) > bytes;
}

/** Reads the rest of an unwanted body and drops it: its sender reads the answer only once it has written everything. */
export function discardRest(request: IncomingMessage, maxBytes: number): void {
  let seen = 0;
  request.on('error', () => {});
  request.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen > maxBytes) request.destroy();
  });
}

/** The same for the body of a fetch `Request`. */
export async function readStream(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | 'too_large'> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) return 'too_large';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
