/**
 * The receiver: listens on a loopback port and answers one unguessable path only; everything else is 404 without a hint, because
 * a tunnel may show it to the world. Bodies are raw, bounded in size and time, and verified before anything else looks at them.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import {
  DELIVERY_HEADER,
  type RefusedSignature,
  SIGNATURE_HEADER,
  type SignatureVerdict,
  verify,
} from '../../contract/signature.ts';
import { type BodyFailure, createBodyReader } from '../../http-server/body.ts';
import { openServer } from '../../http-server/local-server.ts';

/** A delivery as it came in. */
export interface Incoming {
  /** Milliseconds since the epoch. */
  receivedAt: number;
  method: string;
  /** Names and values in turn, as they came. */
  headers: string[];
  deliveryId: string | null;
  body: Buffer;
}

export interface ReceiverOptions {
  /** 0 takes any free port. */
  port: number;
  /** `/` and at least 16 characters nobody can guess. */
  path: string;
  /** The endpoint's live secrets, asked anew for each delivery: they change while a secret is rotated. */
  secrets: () => readonly string[];
  /** Deliveries wait for this before they are verified: an endpoint may be called before its secret is known here. */
  known?: Promise<void>;
  /** A signature matched no secret: looks whether there is a newer one. Resolves to true when there is. */
  renew?: () => Promise<boolean>;
  /** Known secrets that explain a mismatch and never make one valid. */
  otherSecrets?: { readonly environment: readonly string[]; readonly endpoint: readonly string[] };
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Seconds. Default 300. */
  tolerance?: number;
  /** Accepts deliveries without checking their signature. Never set it on live. */
  skipVerify?: boolean;
  /** Handles a genuine delivery; resolves to the status its sender gets. A throw is answered 503. */
  onDelivery: (incoming: Incoming, verdict: SignatureVerdict | null) => Promise<number>;
  onRejected: (incoming: Incoming, verdict: RefusedSignature) => void;
  limits?: Partial<ReceiverLimits>;
}

export interface ReceiverLimits {
  /** The largest body accepted, in bytes. Default 1 MiB. */
  bodyBytes: number;
  /** What all bodies that are not yet answered may hold together, in bytes. Default 32 MiB. */
  heldBytes: number;
  /** Open connections; more are closed at once. Default 512. */
  connections: number;
  /** Time a sender may take for its headers and body, in milliseconds. Default 10 s. */
  requestMs: number;
  /** Milliseconds in each second that may go into explaining refused signatures. Default 200. */
  explainMs: number;
}

export interface Receiver {
  port: number;
  /** `http://127.0.0.1:<port><path>` */
  url: string;
  /** Takes no further connection, waits for running requests up to `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

const DEFAULT_LIMITS: ReceiverLimits = {
  bodyBytes: 1024 * 1024,
  heldBytes: 32 * 1024 * 1024,
  connections: 512,
  requestMs: 10_000,
  explainMs: 200,
};

/** @throws Failure `usage` (`port_in_use`, `port_forbidden`) when the port cannot be had. */
export async function openReceiver(options: ReceiverOptions): Promise<Receiver> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const path = Buffer.from(options.path);
  const local = await openServer({
    port: options.port,
    chosenBy: { param: '--port', next: 'choose another with --port, or leave it out to take any free one' },
    http: {
      requestTimeout: limits.requestMs,
      headersTimeout: Math.min(5000, limits.requestMs),
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
      keepAliveTimeout: 15_000,
    },
    maxConnections: limits.connections,
  });
  const { server, port } = local;
  const handle = createHandler(options, limits, server);
  server.on('request', (request, response) => {
    if (request.method !== 'POST' || !sameText(request.url ?? '', path)) refuse(response, 404);
    else void handle(request, response);
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  return { port, url: local.origin + options.path, close: (graceMs) => local.close(graceMs) };
}

/** The status for a body that was not read to its end. */
const UNREAD: Readonly<Record<BodyFailure, number>> = { too_large: 413, too_many: 503, cut_off: 400 };

/** One request at the right path, from its first body byte to its answer. */
function createHandler(
  options: ReceiverOptions,
  limits: ReceiverLimits,
  server: Server,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const judge = createJudge(options, limits);
  const takeBody = createBodyReader(limits);
  return async (request, response) => {
    const taken = await takeBody(request);
    if (typeof taken === 'string') return refuse(response, UNREAD[taken]);
    const { body, release } = taken;
    try {
      await options.known;
      answer(response, await admit(options, request, body, judge), server);
    } catch {
      // Not stored, so not acknowledged: the sender comes again. The details are reported where the error was thrown.
      answer(response, 503, server);
    } finally {
      release();
    }
  };
}

/** @returns the status for the sender. */
async function admit(options: ReceiverOptions, request: IncomingMessage, body: Buffer, judge: Judge): Promise<number> {
  const incoming: Incoming = {
    receivedAt: options.now(),
    method: 'POST',
    headers: request.rawHeaders,
    // The whole header is kept with the others; as an id it need not be longer than ids are.
    deliveryId: single(request.headers[DELIVERY_HEADER])?.slice(0, 255) ?? null,
    body,
  };
  const header = single(request.headers[SIGNATURE_HEADER]);
  let verdict = judge(header, body);
  if (verdict?.valid === false && verdict.cause === 'wrong_secret' && (await options.renew?.()) === true) {
    verdict = judge(header, body);
  }
  if (verdict === null || verdict.valid) return options.onDelivery(incoming, verdict);
  options.onRejected(incoming, verdict);
  return 400;
}

/** Null when signatures are not looked at. */
type Judge = (header: string | null, body: Buffer) => SignatureVerdict | null;

/** Verifies; while refusals come in floods, their causes are not looked for, so that genuine deliveries are not held up. */
function createJudge(options: ReceiverOptions, limits: ReceiverLimits): Judge {
  let second = 0;
  let spent = 0;
  return (header, body) => {
    if (options.skipVerify === true) return null;
    const began = options.now();
    if (Math.floor(began / 1000) !== second) {
      second = Math.floor(began / 1000);
      spent = 0;
    }
    const others = options.otherSecrets;
    const verdict = verify({
      header,
      body,
      secrets: options.secrets(),
      now: second,
      tolerance: options.tolerance ?? 300,
      otherEnvironmentSecrets: others?.environment ?? [],
      otherEndpointSecrets: others?.endpoint ?? [],
      explain: spent < limits.explainMs,
    });
    if (!verdict.valid) spent += options.now() - began;
    return verdict;
  };
}

function answer(response: ServerResponse, status: number, server: Server): void {
  if (response.headersSent || response.destroyed) return;
  // Once closing has begun, a connection that is kept alive would keep the server from closing.
  const last = server.listening ? {} : { connection: 'close' };
  response.writeHead(status, { 'content-length': 0, ...last }).end();
}

/** Answers without having read the body, and hangs up. */
function refuse(response: ServerResponse, status: number): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-length': 0, connection: 'close' }).end();
  // A sender that is still writing reads the answer only if the socket stays open for a moment.
  const request = response.req;
  request.on('error', () => {});
  request.resume();
  setTimeout(() => request.socket.destroy(), 500).unref();
}

function sameText(text: string, expected: Buffer): boolean {
  const given = Buffer.from(text);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function single(value: string | string[] | undefined): string | null {
  return value === undefined ? null : String(value);
}
