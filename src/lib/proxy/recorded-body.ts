/** Records the beginning of a body while it is forwarded unchanged. */
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib';

/** The journal keeps fewer characters than this has bytes. */
const MAX_BYTES = 64 * 1024;
const MAX_INFLATED = 256 * 1024;

export class RecordedBody {
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  #size = 0;

  readonly add = (chunk: Buffer): void => {
    this.#size += chunk.length;
    if (this.#kept >= MAX_BYTES) return;
    const part = chunk.subarray(0, MAX_BYTES - this.#kept);
    this.#kept += part.length;
    this.#chunks.push(part);
  };

  /** As text, decompressed; a description where it is not text; null when there was no body. */
  text(headers: Readonly<Record<string, string>>): string | null {
    if (this.#size === 0) return null;
    const type = headers['content-type'] ?? '';
    const encoding = headers['content-encoding'] ?? '';
    const bytes = isText(type) ? decoded(Buffer.concat(this.#chunks), encoding) : null;
    return bytes?.toString('utf8') ?? `(${this.#size} bytes of ${[encoding, type || 'unknown kind'].join(' ').trim()})`;
  }
}

function isText(type: string): boolean {
  return type === '' || /json|text|xml|javascript|x-www-form-urlencoded|graphql/i.test(type);
}

/** null when it cannot be decompressed. An incomplete body is decompressed as far as possible. */
function decoded(bytes: Buffer, encoding: string): Buffer | null {
  const zlib = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_INFLATED };
  try {
    if (/^(?:x-)?gzip$/i.test(encoding)) return gunzipSync(bytes, zlib);
    if (/^deflate$/i.test(encoding)) return inflateSync(bytes, zlib);
    if (/^br$/i.test(encoding)) {
      return brotliDecompressSync(bytes, {
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
        maxOutputLength: MAX_INFLATED,
      });
    }
    return encoding === '' || /^identity$/i.test(encoding) ? bytes : null;
  } catch {
    return null;
  }
}
