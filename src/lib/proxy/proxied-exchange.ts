/** One proxied exchange: forwards the request to the host and its response to the app, byte for byte and as they arrive. */
import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { type NetworkError, networkErrorOf } from '../api/network-errors.ts';
import { KEPT_THOUGH_NAMED } from '../contract/exchange.ts';
import { timerMs } from '../contract/time.ts';
import { RecordedBody } from './recorded-body.ts';

export interface Upstream {
  target: URL;
  agent: Agent;
  /** `http.request` or `https.request`. */
  open: (options: RequestOptions) => ClientRequest;
  /** Time limit for the start of the response, and for each pause within it, in milliseconds. */
  timeoutMs: number;
  /** Limit for the headers of a response, in bytes. */
  maxHeaderSize: number;
}

/** What the journal records of an exchange; incomplete when it broke off. */
export interface ProxiedExchange {
  /** null when there was no response. */
  status: number | null;
  requestHeaders: Record<string, string>;
  requestBody: string | null;
  responseHeaders: Record<string, string>;
  responseBody: string | null;
  /** Why it broke off; null when it completed. */
  trouble: NetworkError | null;
  /** 2 when it was retried. */
  tries: number;
}

/** @param extra headers to set, names and values in turn, in the place of those of the same name @returns when the exchange is over; never throws */
export function proxyExchange(
  upstream: Upstream,
  request: IncomingMessage,
  response: ServerResponse,
  extra: readonly string[] = [],
): Promise<ProxiedExchange> {
  return new Promise((resolve) => new Exchange(upstream, request, response, resolve).start(extra));
}

/** Answers with an error without calling the host. */
export async function refuseExchange(
  upstream: Upstream,
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, message }: { status: number; code: string; message: string },
): Promise<ProxiedExchange> {
  sendProxyError(response, status, message);
  const requestHeaders = asRecord(['Host', upstream.target.host, ...endToEnd(request.rawHeaders, isHost)]);
  const none = { status: null, requestBody: null, responseHeaders: {}, responseBody: null };
  return { ...none, requestHeaders, trouble: { code, message }, tries: 1 };
}

const isHost = (name: string): boolean => name === 'host';

class Exchange {
  readonly #upstream: Upstream;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #resolve: (exchange: ProxiedExchange) => void;
  readonly #sent = new RecordedBody();
  readonly #received = new RecordedBody();
  #headers: string[] = [];
  #incoming: IncomingMessage | null = null;
  #outgoing: ClientRequest | null = null;
  /** Runs until the headers of the response are complete; restarted by each chunk of the request. */
  #headTimer: NodeJS.Timeout | null = null;
  #ended = false;
  #tries = 0;

  constructor(
    upstream: Upstream,
    request: IncomingMessage,
    response: ServerResponse,
    resolve: (exchange: ProxiedExchange) => void,
  ) {
    this.#upstream = upstream;
    this.#request = request;
    this.#response = response;
    this.#resolve = resolve;
  }

  start(extra: readonly string[]): void {
    const { method = 'GET', rawHeaders } = this.#request;
    const replaced = new Set(extra.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()));
    const own = endToEnd(rawHeaders, (name) => isHost(name) || replaced.has(name));
    this.#headers = ['Host', this.#upstream.target.host, ...own, ...extra];
    // Without a length or chunks there is no body (RFC 9112 §6.3); by default Node would then send `Transfer-Encoding: chunked`.
    const framed = ['content-length', 'transfer-encoding'].some((name) => valuesOf(own, name).length > 0);
    if (!framed && !/^(?:GET|HEAD|DELETE|OPTIONS|TRACE)$/.test(method)) this.#headers.push('Content-Length', '0');
    this.#request.on('data', this.#sent.add).on('data', () => this.#headTimer?.refresh());
    this.#request.on('error', () => undefined);
    this.#response.once('close', () => this.#end({ code: 'hung_up', message: 'the app closed the connection' }));
    this.#send(framed);
  }

  /** The host may close an idle connection just as it is reused; a GET or HEAD without a body is then retried. */
  #send(framed: boolean): void {
    const { target, agent, open, timeoutMs, maxHeaderSize } = this.#upstream;
    const { method = 'GET', url = '/' } = this.#request;
    const { hostname, port, protocol } = target;
    const outgoing = open({
      ...{ agent, protocol, method, path: url, headers: this.#headers, timeout: timeoutMs, maxHeaderSize },
      hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
      ...(port === '' ? {} : { port }),
    });
    this.#outgoing = outgoing;
    this.#tries += 1;
    outgoing.on('information', ({ statusCode, rawHeaders }) => this.#interim(statusCode, rawHeaders));
    outgoing.on('response', (answer) => this.#receive(answer));
    const giveUp = () => void outgoing.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }));
    if (this.#headTimer) clearTimeout(this.#headTimer);
    this.#headTimer = setTimeout(giveUp, timerMs(timeoutMs));
    outgoing.on('timeout', giveUp);
    // An unexpected upgrade closes the connection without an error.
    outgoing.on('close', () => {
      if (outgoing === this.#outgoing && this.#incoming === null) this.#fail(new Error('closed'));
    });
    outgoing.on('error', (error) => {
      const idle = outgoing.reusedSocket && !framed && /^(?:GET|HEAD)$/.test(method) && this.#incoming === null;
      if (this.#tries === 1 && idle && !this.#ended) this.#send(framed);
      // After the answer began, an error means only that the host stopped reading a body it has refused.
      else if (this.#incoming === null) this.#fail(error);
    });
    if (!framed) return void outgoing.end();
    this.#request.pipe(outgoing, { end: false });
    this.#request.once('end', () => {
      addTrailers(outgoing, this.#request.rawTrailers);
      outgoing.end();
    });
  }

  /** Forwards interim responses (RFC 9110 §15.2). Node answers 100 itself. */
  #interim(status: number, raw: readonly string[]): void {
    const { link, ...others } = asRecord(endToEnd(raw));
    try {
      if (status === 102) this.#response.writeProcessing();
      else if (status === 103 && link !== undefined)
        this.#response.writeEarlyHints({ ...others, link: link.split(/,\s*(?=<)/) });
    } catch {
      // Node cannot write every hint that it can read; the app does not depend on them.
    }
  }

  #receive(answer: IncomingMessage): void {
    const { statusCode = 502, statusMessage = '', rawHeaders } = answer;
    const bodiless = this.#request.method === 'HEAD' || statusCode === 204 || statusCode === 304;
    this.#response.sendDate = false;
    try {
      this.#response.writeHead(
        statusCode,
        statusMessage,
        endToEnd(rawHeaders, (name) => bodiless && name === 'trailer'),
      );
    } catch {
      return this.#fail(Object.assign(new Error('response headers that cannot be forwarded'), { code: 'HPE_HEAD' }));
    }
    this.#incoming = answer;
    if (this.#headTimer) clearTimeout(this.#headTimer);
    // Sends the headers now: the body may come much later.
    this.#response.flushHeaders();
    answer.on('data', this.#received.add);
    answer.once('error', (error) => this.#fail(error));
    answer.pipe(this.#response, { end: false });
    answer.once('end', () => {
      addTrailers(this.#response, answer.rawTrailers);
      this.#response.end();
      this.#end(null);
    });
  }

  /** Without a response the app gets 502 or 504 (RFC 9110 §15.6.3, §15.6.5); an incomplete response breaks off where the host's did. */
  #fail(error: unknown): void {
    if (this.#ended) return;
    const trouble = networkErrorOf(error, this.#upstream.target);
    if (this.#response.headersSent) this.#response.destroy();
    else
      sendProxyError(
        this.#response,
        trouble.code === 'timeout' ? 504 : 502,
        `no answer from ${this.#upstream.target.host}: ${trouble.message}`,
      );
    this.#end(trouble);
  }

  #end(trouble: NetworkError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#headTimer) clearTimeout(this.#headTimer);
    if (trouble !== null) this.#outgoing?.destroy();
    const [requestHeaders, responseHeaders] = [asRecord(this.#headers), asRecord(this.#incoming?.rawHeaders ?? [])];
    this.#resolve({
      status: this.#incoming?.statusCode ?? null,
      requestHeaders,
      requestBody: this.#sent.text(requestHeaders),
      responseHeaders,
      responseBody: this.#received.text(responseHeaders),
      trouble,
      tries: this.#tries,
    });
  }
}

/** Adds the trailer fields, which follow a chunked body (RFC 9110 §6.5). */
function addTrailers(to: ClientRequest | ServerResponse, raw: readonly string[]): void {
  const fields = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : []));
  if (fields.length > 0) to.addTrailers(fields);
}

/** Sends an error of the proxy itself, marked with `Proxy-Status`. */
export function sendProxyError(response: ServerResponse, status: number, why: string): void {
  const body = `credicorp proxy: ${why}\n`;
  response
    // The status text is set: otherwise one that could not be written before would be used again.
    .writeHead(status, STATUS_CODES[status], {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Proxy-Status': 'credicorp',
    })
    .end(body);
}

/** Hop-by-hop headers (RFC 9110 §7.6.1): they apply to one connection and are not forwarded. */
const HOP_BY_HOP = /^(?:connection|keep-alive|proxy-connection|proxy-authorization|te|upgrade|expect)$/;

/** Raw headers (names and values in turn) without the hop-by-hop ones and those that `Connection` names. */
function endToEnd(raw: readonly string[], alsoWithout: (name: string) => boolean = () => false): string[] {
  const named = new Set(valuesOf(raw, 'connection').flatMap((value) => value.toLowerCase().split(/\s*,\s*/)));
  const chunked = /chunked/i.test(valuesOf(raw, 'transfer-encoding').join());
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    // What the other end cannot do without is kept, even if `Connection` names it: the length, and what proves who sent the call.
    const dropped = named.has(name) && !KEPT_THOUGH_NAMED.test(name);
    // Trailers exist only in chunked messages, and Node throws if they are announced in others.
    if (name === 'trailer' && !chunked) continue;
    if (!HOP_BY_HOP.test(name) && !dropped && !alsoWithout(name)) kept.push(raw[at] ?? '', raw[at + 1] ?? '');
  }
  return kept;
}

function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === name);
}

/** Raw headers as a record: one value for each name. */
function asRecord(raw: readonly string[]): Record<string, string> {
  const record = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const before = record.get(name);
    record.set(name, before === undefined ? (raw[at + 1] ?? '') : `${before}, ${raw[at + 1]}`);
  }
  return Object.fromEntries(record);
}
