/**
 * Opens a local HTTP server and closes it: one set of limits, one explanation of why a port cannot be opened, one way to end that
 * gives running requests time.
 */
import { createServer, type Server, type ServerOptions } from 'node:http';
import { type Failure, usage } from '../failure.ts';

export interface LocalServerOptions {
  /** Address to listen on. Default 127.0.0.1, which no other machine reaches. */
  host?: string;
  /** 0 takes any free port. */
  port: number;
  /** How the user chose the port, for the failure: `param` is the flag, `next` says how to choose another. */
  chosenBy: { param: string; next: string };
  /** Other limits on headers and time than `LIMITS`, as Node's own server has them. */
  http?: ServerOptions;
  /** Open connections; more are closed at once. Default 512. */
  maxConnections?: number;
}

export interface LocalServer {
  server: Server;
  port: number;
  /** `http://127.0.0.1:<port>`; an unspecified address (0.0.0.0, ::) is given as the loopback address that reaches it. */
  origin: string;
  /**
   * Takes no further connection, gives running requests until the grace is over (milliseconds, or a promise that settles), then
   * cuts what is left. @throws what the promise throws, when everything is closed
   */
  close(grace: number | Promise<unknown>): Promise<void>;
}

/**
 * Idle connections are closed soon, because they use up the connection limit: headers must arrive within five seconds, checked every
 * second. A whole request may take as long as Node's own limit (5 min), unless a server sets less.
 */
const LIMITS: ServerOptions = { headersTimeout: 5000, connectionsCheckingInterval: 1000, keepAliveTimeout: 30_000 };
const MAX_CONNECTIONS = 512;

/** How many connections wait for a server that is busy. */
const BACKLOG = 4096;

/**
 * Handlers are attached to `server` by the caller; nothing can arrive before the returned promise was awaited.
 * @throws Failure `usage` (`port_in_use`, `port_forbidden`) when the port cannot be opened
 */
export async function openServer(options: LocalServerOptions): Promise<LocalServer> {
  const { host = '127.0.0.1', port } = options;
  const server = createServer({ ...LIMITS, ...options.http });
  server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(portFailure(error, options)));
    server.listen({ port, host, backlog: BACKLOG }, resolve);
  });
  server.removeAllListeners('error');
  const address = server.address();
  const opened = typeof address === 'object' && address !== null ? address.port : port;
  return { server, port: opened, origin: originOf(host, opened), close: (grace) => close(server, grace) };
}

function portFailure(error: NodeJS.ErrnoException, { host, port, chosenBy }: LocalServerOptions): Failure {
  const { param, next } = chosenBy;
  const place = host === undefined ? `port ${port}` : `port ${port} on ${host}`;
  if (error.code === 'EADDRINUSE') return usage(`${place} is in use`, { code: 'port_in_use', param, next }, error);
  if (error.code === 'EACCES') {
    const facts = { code: 'port_forbidden', param, next: 'choose a port above 1023' };
    return usage(`${place} may not be opened: permission denied`, facts, error);
  }
  const message = `${place} cannot be opened (${error.code ?? error.message})`;
  // Any other error is about the address, where the user chose one.
  if (host !== undefined) return usage(message, { param: '--host', next: 'check --host' }, error);
  return usage(message, { code: 'port_forbidden', param, next }, error);
}

function originOf(host: string, port: number): string {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

async function close(server: Server, grace: number | Promise<unknown>): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  if (typeof grace === 'number') {
    const cut = setTimeout(() => server.closeAllConnections(), grace);
    await closed;
    clearTimeout(cut);
    return;
  }
  try {
    await grace;
  } finally {
    server.closeAllConnections();
    await closed;
  }
}
