/** Sends one webhook delivery over the network (webhooks.md#delivery): one try, 10 s at most, redirects not followed. */
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';

export interface WebhookRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Real milliseconds. */
  timeoutMs: number;
}

export type DeliveryFault = 'timeout' | 'connection_refused' | 'dns' | 'tls' | 'redirect' | 'socket';

export type DeliveryResult = { status: number; error: DeliveryFault | null } | { status: null; error: DeliveryFault };

/** Never throws: what went wrong is in the result. */
export type Post = (webhookRequest: WebhookRequest) => Promise<DeliveryResult>;

/** A sender with its own connections; `close` drops those that idle. */
export function createSender(): { post: Post; close(): void } {
  const plain = new HttpAgent({ keepAlive: true, maxFreeSockets: 10 });
  const secure = new HttpsAgent({ keepAlive: true, maxFreeSockets: 10 });
  const open = (webhookRequest: WebhookRequest): ClientRequest => {
    const url = new URL(webhookRequest.url);
    const options = {
      method: 'POST',
      headers: { ...webhookRequest.headers, 'content-length': String(Buffer.byteLength(webhookRequest.body)) },
      ...(url.hostname === 'localhost' ? { lookup: lookUpLocalhost, autoSelectFamily: true } : {}),
    };
    return url.protocol === 'https:'
      ? httpsRequest(url, { ...options, agent: secure })
      : httpRequest(url, { ...options, agent: plain });
  };
  return {
    async post(webhookRequest) {
      const first = await send(open, webhookRequest);
      // A kept connection may have been closed by the receiver just as it was taken up again: nothing was read from it.
      return first.stale ? (await send(open, webhookRequest)).result : first.result;
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** Both address families of `localhost`, whatever the hosts file says (RFC 6761 §6.3): the receiver may listen on either. */
const lookUpLocalhost: LookupFunction = (_hostname, _options, found) => {
  found(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
};

function send(
  open: (webhookRequest: WebhookRequest) => ClientRequest,
  webhookRequest: WebhookRequest,
): Promise<{ result: DeliveryResult; stale: boolean }> {
  return new Promise((resolve) => {
    let request: ClientRequest;
    try {
      request = open(webhookRequest);
    } catch {
      resolve({ result: { status: null, error: 'socket' }, stale: false });
      return;
    }
    const limit = setTimeout(() => {
      finish({ status: null, error: 'timeout' });
      request.destroy();
    }, webhookRequest.timeoutMs);
    const finish = (result: DeliveryResult, stale = false): void => resolve({ result, stale });
    // The limit holds for a body that trickles in after the status as well.
    request.on('close', () => clearTimeout(limit));
    request.on('response', (response) => finish(resultOf(response)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const lost = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      finish({ status: null, error: faultOf(error) }, lost && request.reusedSocket);
    });
    request.end(webhookRequest.body);
  });
}

function resultOf(response: IncomingMessage): DeliveryResult {
  const status = response.statusCode ?? 0;
  // The body is ignored (webhooks.md#delivery); a long one is not waited for.
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
