/** From the bytes of a body to its text: decompressed and decoded within the limit, or a word on why that failed. */
import type { HttpAnswer } from '../contract/exchange.ts';
import type { NetworkTrouble } from './network-trouble.ts';

interface Body {
  text: string;
  broken?: NetworkTrouble;
}

/** @param trouble what ended the exchange early; the text then is what had come until then. */
export async function readBody(
  head: Pick<HttpAnswer, 'status' | 'headers'>,
  chunks: readonly Uint8Array[],
  maxBytes: number,
  trouble: NetworkTrouble | null,
): Promise<HttpAnswer & Body> {
  const bytes = Buffer.concat(chunks);
  const encoding = (head.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const body = encoding === 'identity' || bytes.length === 0 ? decode(bytes) : await unpack(bytes, encoding, maxBytes);
  return trouble === null ? { ...head, ...body } : { ...head, text: body.text, broken: trouble };
}

async function unpack(bytes: Buffer, encoding: string, maxBytes: number): Promise<Body> {
  // Loaded when something is compressed; the API answers are mostly too small for that.
  const zlib = await import('node:zlib');
  const known: Record<string, typeof zlib.gunzip | undefined> = {
    gzip: zlib.gunzip,
    'x-gzip': zlib.gunzip,
    deflate: zlib.inflate,
    br: zlib.brotliDecompress,
  };
  const decompress = Object.hasOwn(known, encoding) ? known[encoding] : undefined;
  if (!decompress) return { text: '', broken: { code: 'encoding', message: 'its compression is not known' } };
  return new Promise((resolve) => {
    decompress(bytes, { maxOutputLength: maxBytes }, (error, plain) => {
      if (error === null) resolve(decode(plain));
      else if (error instanceof RangeError) {
        resolve({ text: '', broken: { code: 'too_large', message: `it is larger than ${maxBytes} bytes` } });
      } else resolve({ text: '', broken: { code: 'encoding', message: 'its compression is damaged' } });
    });
  });
}

/** JSON is UTF-8 (RFC 8259 §8.1); a byte order mark is dropped. */
function decode(bytes: Uint8Array): Body {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return {
      text: new TextDecoder('utf-8').decode(bytes),
      broken: { code: 'not_utf8', message: 'its text is not UTF-8' },
    };
  }
}
