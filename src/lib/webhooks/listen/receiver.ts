/**
 * The receiver: an HTTP server on a loopback port for one secret path; every other path is 404, because a tunnel may make the port
 * public. Bodies are kept as raw bytes, limited in size and time, and verified before they are parsed.
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

/** A delivery as received. */
export interface Incoming {
  /** Milliseconds since the epoch. */
  receivedAt: number;
  method: string;
  /** Header names and values alternating, unchanged. */
  headers: string[];
  deliveryId: string | null;
  body: Buffer;
}

export interface ReceiverOptions {
  /** 0 for any free port. */
  port: number;
  /** `/` and at least 16 random characters. */
  path: string;
  /** Returns the endpoint's live secrets. Called for each delivery, because they change when a secret is rotated. */
  secrets: () => readonly string[];
  /** Resolves when the endpoint's secret is known. Deliveries wait for it, because one may arrive before the API has returned the secret. */
  known?: Promise<void>;
  /** Called when a signature matched no secret. Resolves to true when there is a newer secret to try. */
  renew?: () => Promise<boolean>;
  /** Other known secrets, which only explain a mismatch and never make a delivery valid. */
  otherSecrets?: { readonly environment: readonly string[]; readonly endpoint: readonly string[] };
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Seconds. Default 300. */
  tolerance?: number;
  /** Accepts deliveries without checking their signature. Never set it on live. */
  skipVerify?: boolean;
  /** Handles a verified delivery. Resolves to the HTTP status for its sender; when it throws, the sender gets 503. */
  onDelivery: (incoming: Incoming, verdict: SignatureVerdict | null) => Promise<number>;
  onRejected: (incoming: Incoming, verdict: RefusedSignature) => void;
  limits?: Partial<ReceiverLimits>;
}

export interface ReceiverLimits {
  /** The largest body accepted, in bytes. Default 1 MiB. */
  bodyBytes: number;
  /** Total size of all bodies that are not answered yet, in bytes. Default 32 MiB. */
  heldBytes: number;
  /** Most open connections; further ones are closed immediately. Default 512. */
  connections: number;
  /** Time limit for receiving headers and body, in milliseconds. Default 10 s. */
  requestMs: number;
  /** Milliseconds of each second that may be spent on explaining refused signatures. Default 200. */
  explainMs: number;
}

export interface Receiver {
  port: number;
  /** `http://127.0.0.1:<port><path>` */
  url: string;
  /** Accepts no more connections, waits up to `graceMs` for running requests, then closes them. */
  close(graceMs: number): Promise<void>;
}

const DEFAULT_LIMITS: ReceiverLimits = {
  bodyBytes: 1024 * 1024,
  heldBytes: 32 * 1024 * 1024,
  connections: 512,
  requestMs: 10_000,
  explainMs: 200,
};

/** Starts the receiver. @throws Failure `usage` (`port_in_use`, `port_forbidden`) when the port cannot be opened. */
export async function openReceiver(options: ReceiverOptions): Promise<Receiver> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const path = Buffer.from(options.path);
  const local = await openServer({
    port: options.port,
    chosenBy: { param: '--port', next: 'choose another with --port, or leave it out to use any free port' },
    http: {
      requestTimeout: limits.requestMs,
      headersTimeout: Math.min(5000, limits.requestMs),
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
      keepAliveTimeout: 15_000,
    },
    maxConnections: limits.connections,
  });
  const { server, port } = local;
  // A sender may close its side once its body is out, and still reads the answer. Node has this switch, its types do not.
  Object.assign(server, { httpAllowHalfOpen: true });
  const handle = createHandler(options, limits, server);
  server.on('request', (request, response) => {
    if (request.method !== 'POST' || !sameText(request.url ?? '', path)) refuse(response, 404);
    else void handle(request, response);
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  return { port, url: local.origin + options.path, close: (graceMs) => local.close(graceMs) };
}

/** The status for a body that could not be read completely. */
const UNREAD: Readonly<Record<BodyFailure, number>> = { too_large: 413, too_many: 503, cut_off: 400 };

/** Handles one request to the secret path: reads the body, verifies it, and answers. */
function createHandler(
  options: ReceiverOptions,
  limits: ReceiverLimits,
  server: Server,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const verifyDelivery = createVerifier(options, limits);
  const readBody = createBodyReader(limits);
  return async (request, response) => {
    const result = await readBody(request);
    if (typeof result === 'string') return refuse(response, UNREAD[result]);
    const { body, release } = result;
    try {
      await options.known;
      answer(response, await admit(options, request, body, verifyDelivery), server);
    } catch {
      // Not stored, so not acknowledged: the sender will retry. The error was already reported where it was thrown.
      answer(response, 503, server);
    } finally {
      release();
    }
  };
}

/** Verifies a delivery and passes it on. @returns the status for the sender */
async function admit(
  options: ReceiverOptions,
  request: IncomingMessage,
  body: Buffer,
  verifyDelivery: Verifier,
): Promise<number> {
  const incoming: Incoming = {
    receivedAt: options.now(),
    method: 'POST',
    headers: request.rawHeaders,
    // An id is limited in length; the complete header is stored with the others.
    deliveryId: single(request.headers[DELIVERY_HEADER])?.slice(0, 255) ?? null,
    body,
  };
  const header = single(request.headers[SIGNATURE_HEADER]);
  let verdict = verifyDelivery(header, body);
  if (verdict?.valid === false && verdict.cause === 'wrong_secret' && (await options.renew?.()) === true) {
    verdict = verifyDelivery(header, body);
  }
  if (verdict === null || verdict.valid) return options.onDelivery(incoming, verdict);
  options.onRejected(incoming, verdict);
  return 400;
}

/** Verifies a signature; null when signatures are not checked. */
type Verifier = (header: string | null, body: Buffer) => SignatureVerdict | null;

/** Limits the time spent on explaining refused signatures, so that a flood of forged deliveries does not delay genuine ones. */
function createVerifier(options: ReceiverOptions, limits: ReceiverLimits): Verifier {
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
  // While the server is closing, a kept-alive connection would delay it.
  const last = server.listening ? {} : { connection: 'close' };
  response.writeHead(status, { 'content-length': 0, ...last }).end();
}

/** Answers without reading the body, and closes the connection. */
function refuse(response: ServerResponse, status: number): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-length': 0, connection: 'close' }).end();
  // A sender that is still writing can only read the answer if the socket stays open briefly.
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
