/** Sends one webhook delivery over the network (webhooks.md#delivery): one try, 10 s at most, redirects not followed. */
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface Parcel {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Real milliseconds. */
  timeoutMs: number;
}

export type DeliveryFault = 'timeout' | 'connection_refused' | 'dns' | 'tls' | 'redirect' | 'socket';

export type Receipt = { status: number; error: DeliveryFault | null } | { status: null; error: DeliveryFault };

/** Never throws: what went wrong is in the receipt. */
export type Post = (parcel: Parcel) => Promise<Receipt>;

/** A sender with its own connections; `close` drops those that idle. */
export function createSender(): { post: Post; close(): void } {
  const plain = new HttpAgent({ keepAlive: true, maxFreeSockets: 10 });
  const secure = new HttpsAgent({ keepAlive: true, maxFreeSockets: 10 });
  const open = (parcel: Parcel): ClientRequest => {
    const url = new URL(parcel.url);
    const options = {
      method: 'POST',
      headers: { ...parcel.headers, 'content-length': String(Buffer.byteLength(parcel.body)) },
      ...(url.hostname === 'localhost' ? { lookup: lookUpLocalhost, autoSelectFamily: true } : {}),
    };
    return url.protocol === 'https:'
      ? httpsRequest(url, { ...options, agent: secure })
      : httpRequest(url, { ...options, agent: plain });
  };
  return {
    async post(parcel) {
      const first = await send(open, parcel);
      // A kept connection may have been closed by the receiver just as it was taken up again: nothing was read from it.
      return first.stale ? (await send(open, parcel)).receipt : first.receipt;
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** Both families, whatever the hosts file says (RFC 6761 §6.3): the receiver may listen on either. */
const lookUpLocalhost: LookupFunction = (_hostname, _options, found) => {
  found(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
};

function send(open: (parcel: Parcel) => ClientRequest, parcel: Parcel): Promise<{ receipt: Receipt; stale: boolean }> {
  return new Promise((resolve) => {
    let request: ClientRequest;
    try {
      request = open(parcel);
    } catch {
      resolve({ receipt: { status: null, error: 'socket' }, stale: false });
      return;
    }
    const limit = setTimeout(() => {
      finish({ status: null, error: 'timeout' });
      request.destroy();
    }, parcel.timeoutMs);
    const finish = (receipt: Receipt, stale = false): void => resolve({ receipt, stale });
    // The limit holds for a body that trickles in after the status as well.
    request.on('close', () => clearTimeout(limit));
    request.on('response', (response) => finish(receiptOf(response)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const lost = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      finish({ status: null, error: faultOf(error) }, lost && request.reusedSocket);
    });
    request.end(parcel.body);
  });
}

function receiptOf(response: IncomingMessage): Receipt {
  const status = response.statusCode ?? 0;
  // The body says nothing (webhooks.md#delivery); a long one is not waited for.
  let seen = 0;
  response.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen > 65_536) response.destroy();
  });
  response.on('error', () => {});
  return { status, error: status >= 300 && status < 400 ? 'redirect' : null };
}

function faultOf(error: NodeJS.ErrnoException): DeliveryFault {
  const codes = [error.code ?? '', ...innerCodes(error)];
  if (codes.includes('ECONNREFUSED')) return 'connection_refused';
  if (codes.some((code) => code === 'ENOTFOUND' || code === 'EAI_AGAIN')) return 'dns';
  if (codes.some((code) => /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_)/.test(code))) {
    return 'tls';
  }
  return codes.includes('ETIMEDOUT') ? 'timeout' : 'socket';
}

/** Both address families of `localhost` are tried; their errors come together. */
function innerCodes(error: Error): string[] {
  if (!(error instanceof AggregateError)) return [];
  return error.errors.map((inner: unknown) =>
    typeof inner === 'object' && inner !== null && 'code' in inner ? String(inner.code) : '',
  );
}
