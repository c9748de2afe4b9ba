/** Exports journal entries for other tools: a curl command line, and HAR 1.2. Redacted values stay redacted. */
import type { JournalEntry } from './entries.ts';

/** Headers that curl sets itself, or that do not apply to a repeated call. */
const LEFT_OUT = /^(?:host|content-length|connection|accept-encoding|transfer-encoding|user-agent|authorization)$/;

/**
 * The call as a curl command line. The credential is a shell command, never a value; the idempotency key is kept, so that repeating the
 * call does not repeat its effect.
 * @param credential text of the Authorization header, inside double quotes of a shell
 */
export function asCurl(entry: JournalEntry, credential = 'Bearer $(credicorp token)'): string {
  // With -X HEAD curl would wait for a body.
  const method = entry.method === 'HEAD' ? '--head' : `-X ${word(entry.method)}`;
  const parts = [`curl --include ${method} ${quoted(`${entry.origin ?? ''}${entry.path}`)}`];
  for (const [name, value] of Object.entries(entry.requestHeaders)) {
    const lower = name.toLowerCase();
    if (lower === 'authorization') parts.push(`-H "Authorization: ${credential}"`);
    else if (!LEFT_OUT.test(lower)) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  }
  if (entry.requestBody !== null) parts.push(`--data-raw ${quoted(entry.requestBody)}`);
  return parts.join(' \\\n  ');
}

/** Whether the curl line sends what the call sent; false when part of it was cut or redacted, or when the body is not text. */
export function isWhole({ requestHeaders, requestBody }: JournalEntry): boolean {
  const headers = Object.entries(requestHeaders).filter(([name]) => !LEFT_OUT.test(name));
  return (
    headers.every(([, value]) => !value.includes('[redacted]')) &&
    !/…\[cut: \d+ characters in all\]$|\[redacted\]|^\(\d+ bytes of .*\)$/.test(requestBody ?? '')
  );
}

/** HTTP Archive (HAR) 1.2, one entry for each attempt. @param version of the program */
export function asHar(entries: readonly JournalEntry[], version: string): object {
  return {
    log: { version: '1.2', creator: { name: 'credicorp', version }, entries: entries.map(harEntry) },
  };
}

function harEntry(entry: JournalEntry): object {
  const url = `${entry.origin ?? 'http://unknown.invalid'}${entry.path}`;
  const { requestBody, responseBody } = entry;
  const query = URL.canParse(url) ? [...new URL(url).searchParams] : [];
  const mimeType = (headers: Record<string, string>): string => headers['content-type'] ?? 'application/octet-stream';
  return {
    startedDateTime: new Date(entry.at).toISOString(),
    time: entry.latencyMs,
    request: {
      method: entry.method,
      url,
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: pairs(Object.entries(entry.requestHeaders)),
      queryString: pairs(query),
      ...(requestBody === null ? {} : { postData: { mimeType: mimeType(entry.requestHeaders), text: requestBody } }),
      headersSize: -1,
      bodySize: requestBody === null ? 0 : Buffer.byteLength(requestBody),
    },
    response: {
      // HAR uses 0 for "no response".
      status: entry.status ?? 0,
      statusText: entry.note ?? '',
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: pairs(Object.entries(entry.responseHeaders)),
      content: {
        size: Buffer.byteLength(responseBody ?? ''),
        mimeType: mimeType(entry.responseHeaders),
        ...(responseBody === null ? {} : { text: responseBody }),
      },
      redirectURL: entry.responseHeaders['location'] ?? '',
      headersSize: -1,
      bodySize: -1,
    },
    cache: {},
    timings: { send: 0, wait: entry.latencyMs, receive: 0 },
    _attempt: entry.attempt,
    _source: entry.source,
    _requestId: entry.requestId,
  };
}

function pairs(entries: Iterable<[string, string]>): { name: string; value: string }[] {
  return [...entries].map(([name, value]) => ({ name, value }));
}

/** As it is where a shell reads it as one word; the method of a recorded call is whatever was sent. */
function word(text: string): string {
  return /^[A-Z]+$/.test(text) ? text : quoted(text);
}

/** Single-quoted for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
