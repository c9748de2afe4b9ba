/** Network errors as a code and a message. Messages contain host names, never a URL with credentials. */
import { isLoopback } from '../contract/environments.ts';
import { Failure } from '../failure.ts';

export interface NetworkError {
  /** Machine-readable; becomes `Failure.facts.code`. */
  code: string;
  /** The text after `no answer from HOST:`. */
  message: string;
}

/** Errors that are not retried, because a retry cannot help: a wrong request, a wrong server, or nothing listening on this machine. */
export const NOT_RETRIED: ReadonlySet<string> = new Set([
  'nothing_listening',
  'unknown_host',
  'tls',
  'not_http',
  'bad_request',
  'proxy',
]);

const WORDS: Record<string, NetworkError> = {
  ENOTFOUND: { code: 'unknown_host', message: 'no such host' },
  EAI_AGAIN: { code: 'dns', message: 'the host name could not be resolved; is this machine online?' },
  ETIMEDOUT: { code: 'timeout', message: 'no connection in time' },
  UND_ERR_CONNECT_TIMEOUT: { code: 'timeout', message: 'no connection in time' },
  ECONNRESET: { code: 'reset', message: 'the connection was cut' },
  EPIPE: { code: 'reset', message: 'the connection was cut' },
  UND_ERR_SOCKET: { code: 'reset', message: 'the connection was closed' },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: {
    code: 'truncated',
    message: 'the body is shorter or longer than its Content-Length',
  },
  UND_ERR_HEADERS_OVERFLOW: { code: 'not_http', message: 'its headers are too large' },
  EHOSTUNREACH: { code: 'unreachable', message: 'the host cannot be reached' },
  ENETUNREACH: { code: 'unreachable', message: 'the network cannot be reached' },
  EADDRNOTAVAIL: { code: 'unreachable', message: 'this machine has no address to connect from' },
  EMFILE: { code: 'too_many_files', message: 'too many connections are open on this machine' },
  UND_ERR_DESTROYED: { code: 'closed', message: 'the client was closed' },
  UND_ERR_CLOSED: { code: 'closed', message: 'the client was closed' },
  UND_ERR_INVALID_ARG: { code: 'bad_request', message: 'the request contains something that HTTP does not allow' },
  UND_ERR_PRX_CONN: { code: 'proxy', message: 'the proxy closed the connection' },
  UND_ERR_PRX_TLS: { code: 'proxy', message: 'the proxy cannot be reached over TLS' },
};

export function networkErrorOf(error: unknown, url: URL): NetworkError {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') {
    const code = isLoopback(url.hostname) ? 'nothing_listening' : 'connection_refused';
    return { code, message: 'the connection was refused' };
  }
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO)/.test(code)) {
    return { code: 'tls', message: `the TLS connection failed (${code})` };
  }
  if (/^(?:HPE_|HTTPParserError|UND_ERR_HTTP)/.test(code))
    return { code: 'not_http', message: 'the answer is not HTTP' };
  // The proxy refused the CONNECT request: undici's message, or Node's code.
  if (error instanceof Error && (error.message.startsWith('Proxy response') || code === 'ERR_PROXY_TUNNEL')) {
    const status = /(?:HTTP\/1\.\d |Proxy response \D*)(\d{3})/.exec(error.message)?.[1] ?? 'no status';
    return { code: 'proxy', message: `the proxy refused the connection (${status})` };
  }
  return WORDS[code] ?? { code: 'network', message: `the connection failed (${code})` };
}

/** The failure for a network error: `unavailable`, or `usage` when the request itself cannot be sent. */
export function networkFailure(trouble: NetworkError, url: URL): Failure {
  if (trouble.code === 'bad_request') {
    return new Failure('usage', `the request cannot be sent: ${trouble.message}`, { code: trouble.code });
  }
  const next = NEXT[trouble.code] ?? 'try again; `credicorp doctor` checks the connection to the host';
  return new Failure('unavailable', `no answer from ${url.host}: ${trouble.message}`, { code: trouble.code, next });
}

/** The failure `usage` for an `HTTPS_PROXY` that is not a valid URL. */
export function badProxy(): Failure {
  return new Failure('usage', 'the proxy address is not a URL', {
    code: 'bad_proxy',
    next: 'correct HTTPS_PROXY, for example HTTPS_PROXY=http://proxy.example:8080',
  });
}

const NEXT: Record<string, string> = {
  nothing_listening: 'is the sandbox running? `credicorp sandbox start` starts it',
  timeout: 'try again, or allow more time with --timeout 2m',
  unknown_host: 'check that this machine is online, and the host: `credicorp whoami` shows where it comes from',
  tls: 'check for a proxy that inspects TLS, or a wrong clock; NODE_EXTRA_CA_CERTS adds a certificate of your own',
  proxy: 'check HTTPS_PROXY and NO_PROXY',
};

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  // Both address families were tried, and each failed with its own error.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code: unknown = Reflect.get(error, 'code');
  if (code === 'UND_ERR_SOCKET' || code === undefined) {
    return error.cause instanceof Error ? codeOf(error.cause) : typeof code === 'string' ? code : error.name;
  }
  return typeof code === 'string' ? code : 'unknown';
}
