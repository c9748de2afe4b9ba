/**
 * A recording reverse proxy in front of one host. An app uses it by changing its base URL; the proxy forwards everything
 * unchanged, errors included, and records every exchange. It listens on loopback only.
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { badProxy, networkFailure } from '../api/network-errors.ts';
import { recordOf } from '../api/recording.ts';
import type { RecordExchange } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { bearsToken, type RefusedCaller, refusedCaller } from '../http-server/access.ts';
import { openServer } from '../http-server/local-server.ts';
import {
  proxyExchange,
  type ProxiedExchange,
  type Upstream,
  sendProxyError,
  refuseExchange,
} from './proxied-exchange.ts';

export interface ProxyOptions {
  /** 0: any free port. */
  port: number;
  /** Scheme, host and port of the real API. */
  target: string;
  environment: string | null;
  /** null: nothing is added to a call. */
  auth: ProxyAuth | null;
  record: RecordExchange;
  /** Milliseconds since the epoch, and on a clock that never jumps. */
  now: () => number;
  ticks: () => number;
  /** Time limit for the start of a response, and for each pause within it, in milliseconds. */
  timeoutMs: number;
  /** How long an idle connection to the host is kept open, in milliseconds. Default 4000. */
  idleMs?: number;
  /** `HTTPS_PROXY` and `NO_PROXY`. */
  proxy?: { https: string | undefined; none: string | undefined };
}

/** A call with the token of this run as bearer is sent with the user's own token; a call without any credential is refused. */
export interface ProxyAuth {
  /** From `newRunToken`. */
  runToken: string;
  /** Gives the user's token; `refused` is the one that the host answered with 401. */
  token: (ask: { refused: string | null }) => Promise<string>;
}

const RUN_TOKEN = 'ccproxy_';

/** @param bytes cannot be guessed */
export function newRunToken(bytes: Uint8Array): string {
  return RUN_TOKEN + Buffer.from(bytes).toString('base64url');
}

export interface Proxy {
  /** `http://127.0.0.1:<port>` */
  url: string;
  counts: { calls: number; failed: number };
  /** Accepts no new connections, waits up to `graceMs` for running calls, then aborts them. */
  close(graceMs: number): Promise<void>;
}

/** Hosts close connections that are idle for longer, and a write sent just then cannot be retried safely. */
const IDLE_MS = 4000;
/** Limit for the headers of a request or response, in bytes: more than common hosts and clients allow. */
const MAX_HEAD = 64 * 1024;
/** The API has no WebSockets. Other upgrades (h2c) are optional and may be ignored (RFC 9110 §7.8). */
const NO_WEBSOCKET = { status: 501, code: 'upgrade_not_passed_on', message: 'this proxy does not forward WebSockets' };

/** Loopback is open to every user of this machine: the token of this run tells who may use the profile's. */
const NOT_ADMITTED = {
  status: 401,
  code: 'proxy_token_missing',
  message: 'send the token that this proxy printed when it started: Authorization: Bearer ccproxy_…',
};

/** @throws Failure `usage` (`port_in_use`, `port_forbidden`, `bad_proxy`) */
export async function openProxy(options: ProxyOptions): Promise<Proxy> {
  const upstream = upstreamOf(options);
  const counts = { calls: 0, failed: 0 };
  const tokens = createTokenSource(options.auth);
  const local = await openServer({
    port: options.port,
    chosenBy: { param: '--port', next: 'choose another with --port, or any free one with --port 0' },
    http: { maxHeaderSize: MAX_HEAD },
  });
  local.server.on('request', (request, response) => {
    const refused = refusedCaller(request);
    if (refused !== null) return sendProxyError(response, refused === 'not_a_path' ? 400 : 403, REFUSALS[refused]);
    return void serve(request, response);
  });

  async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const [at, began] = [options.now(), options.ticks()];
    const token = await tokens.tokenFor(request.headers.authorization);
    const exchange = await (token === 'not_admitted'
      ? refuseExchange(upstream, request, response, NOT_ADMITTED)
      : token instanceof Failure
        ? refuseExchange(upstream, request, response, {
            status: 502,
            code: token.facts.code ?? 'no_token',
            message: token.message,
          })
        : wantsWebSocket(request)
          ? refuseExchange(upstream, request, response, NO_WEBSOCKET)
          : proxyExchange(upstream, request, response, token === null ? [] : ['Authorization', `Bearer ${token}`]));
    if (exchange.status === 401 && typeof token === 'string') tokens.refused(token);
    counts.calls += 1;
    if (exchange.status === null || exchange.status >= 400) counts.failed += 1;
    options.record({ ...recordFor(request, exchange, options), at, latencyMs: options.ticks() - began });
  }

  return {
    url: local.origin,
    counts,
    async close(graceMs) {
      await local.close(graceMs);
      upstream.agent.destroy();
    },
  };
}

/** Only programs on this machine may call, by a loopback address. Absolute request targets are refused: this is not a forward proxy. */
const REFUSALS: Readonly<Record<RefusedCaller, string>> = {
  not_a_path: 'the request target is not a path',
  wrong_host: 'the Host header does not name this machine',
  foreign_page: 'web pages may not call this proxy',
};

function upstreamOf({ target, proxy, timeoutMs, idleMs = IDLE_MS }: ProxyOptions): Upstream {
  const url = new URL(target);
  const secure = url.protocol === 'https:';
  const settings = { keepAlive: true, maxFreeSockets: 64, scheduling: 'lifo' as const, timeout: idleMs };
  // Plain http goes to loopback only, never through a proxy. Node ignores an invalid proxy address, which would bypass the proxy.
  const through = secure && proxy?.https ? { proxyEnv: { HTTPS_PROXY: proxy.https, NO_PROXY: proxy.none } } : {};
  if ('proxyEnv' in through && !/^https?:$/.test(URL.parse(proxy?.https ?? '')?.protocol ?? '')) throw badProxy();
  const agent = secure ? new https.Agent({ ...settings, ...through }) : new http.Agent(settings);
  return { target: url, agent, open: secure ? https.request : http.request, timeoutMs, maxHeaderSize: MAX_HEAD };
}

function wantsWebSocket({ headers }: http.IncomingMessage): boolean {
  return /(?:^|,)\s*websocket\s*(?:,|$)/i.test(headers.upgrade ?? '');
}

/** Remembers the refused token, so that it is not used again. `tokenFor` does not throw: it returns the failure. */
function createTokenSource(auth: ProxyAuth | null) {
  let refused: string | null = null;
  return {
    /** null: the call goes on with the credential it has. */
    tokenFor: async (authorization: string | undefined): Promise<string | null | Failure | 'not_admitted'> => {
      if (auth === null) return null;
      if (!bearsToken(authorization, auth.runToken)) {
        const ownCredential = authorization !== undefined && !/^\s*bearer\s+ccproxy_/i.test(authorization);
        return ownCredential ? null : 'not_admitted';
      }
      try {
        return await auth.token({ refused });
      } catch (error) {
        return error instanceof Failure ? error : new Failure('auth', 'no token could be obtained');
      }
    },
    refused: (token: string) => (refused = token),
  };
}

function recordFor(request: http.IncomingMessage, exchange: ProxiedExchange, { target, environment }: ProxyOptions) {
  const { method = 'GET', url = '/' } = request;
  const { status, trouble } = exchange;
  const absolute = new URL(target).origin + url;
  const sent = {
    method,
    url: URL.canParse(absolute) ? absolute : target,
    headers: exchange.requestHeaders,
    ...(exchange.requestBody === null ? {} : { body: exchange.requestBody }),
  };
  const ended =
    status === null
      ? networkFailure(trouble ?? { code: 'network', message: '' }, new URL(target))
      : {
          status,
          headers: exchange.responseHeaders,
          text: exchange.responseBody ?? '',
          ...(trouble ? { broken: trouble } : {}),
        };
  const seen = { at: 0, attempt: exchange.tries, environment, latencyMs: 0 };
  const record = recordOf(sent, ended, seen);
  const note = record.note ?? (exchange.tries > 1 ? 'retried: the host had just closed the connection' : null);
  return { ...record, source: 'proxy' as const, responseBody: exchange.responseBody, note };
}
