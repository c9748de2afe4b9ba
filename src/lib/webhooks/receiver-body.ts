/** Reading a body whole, as it is, within limits: its size, and the memory all unfinished bodies take together. */
import type { IncomingMessage } from 'node:http';

export interface BodyLimits {
  /** The largest body taken, in bytes. Default 1 MiB. */
  bodyBytes: number;
  /** What all bodies that are not yet answered may hold together, in bytes. Default 32 MiB. */
  heldBytes: number;
}

export interface TakenBody {
  body: Buffer;
  /** The body is no longer needed. */
  release: () => void;
}

/** A function that resolves to the body, or to the status with which to refuse it: 413 too large, 503 too much at once, 400 cut off. */
export function createIntake(limits: BodyLimits): (request: IncomingMessage) => Promise<TakenBody | number> {
  let held = 0;
  return (request) =>
    new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const settle = (result: TakenBody | number): void => {
        request.off('data', take).off('end', end).off('error', cut).off('close', cut);
        if (typeof result === 'number') held -= size;
        resolve(result);
      };
      const take = (chunk: Buffer): void => {
        size += chunk.length;
        held += chunk.length;
        chunks.push(chunk);
        if (size > limits.bodyBytes) settle(413);
        else if (held > limits.heldBytes) settle(503);
      };
      const end = (): void => {
        const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
        settle({
          body,
          release: () => {
            held -= size;
          },
        });
      };
      const cut = (): void => settle(400);
      if (Number(request.headers['content-length'] ?? 0) > limits.bodyBytes) return settle(413);
      return void request.on('data', take).on('end', end).on('error', cut).on('close', cut);
    });
}
