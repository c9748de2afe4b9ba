/** One request on its way to the host and its answer on the way back, byte for byte and as they come. */
import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { type NetworkError, networkErrorOf } from '../api/network-errors.ts';
import { asRecord, passedOn, valuesOf } from './headers.ts';
import { KeptBody } from './kept-body.ts';

export interface Road {
  target: URL;
  agent: Agent;
  /** `http.request` or `https.request`. */
  open: (options: RequestOptions) => ClientRequest;
  /** Until the answer begins, and between two pieces of it, in milliseconds. */
  timeoutMs: number;
  /** Bytes of an answer's head. */
  maxHeaderSize: number;
}

/** What passed: as much as was seen when it ended. */
export interface Passed {
  /** null when no answer began. */
  status: number | null;
  requestHeaders: Record<string, string>;
  requestBody: string | null;
  responseHeaders: Record<string, string>;
  responseBody: string | null;
  /** Why it did not come to its end. */
  trouble: NetworkError | null;
  /** 2 where it was sent once more. */
  tries: number;
}

/** @param extra headers to add, names and values in turn @returns when the exchange is over; never throws */
export function pass(
  road: Road,
  request: IncomingMessage,
  response: ServerResponse,
  extra: readonly string[] = [],
): Promise<Passed> {
  return new Promise((resolve) => new Passage(road, request, response, resolve).start(extra));
}

/** An answer of the proxy's own in place of the host's. */
export async function turnDown(
  road: Road,
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, message }: { status: number; code: string; message: string },
): Promise<Passed> {
  sayNo(response, status, message);
  const requestHeaders = asRecord(['Host', road.target.host, ...passedOn(request.rawHeaders, isHost)]);
  const none = { status: null, requestBody: null, responseHeaders: {}, responseBody: null };
  return { ...none, requestHeaders, trouble: { code, message }, tries: 1 };
}

const isHost = (name: string): boolean => name === 'host';

class Passage {
  readonly #road: Road;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #resolve: (passed: Passed) => void;
  readonly #sent = new KeptBody();
  readonly #got = new KeptBody();
  #headers: string[] = [];
  #answer: IncomingMessage | null = null;
  #onward: ClientRequest | null = null;
  /** Until the answer begins, however busily its head trickles in; begins anew with each piece that is sent. */
  #patience: NodeJS.Timeout | null = null;
  #over = false;
  #tries = 0;

  constructor(road: Road, request: IncomingMessage, response: ServerResponse, resolve: (passed: Passed) => void) {
    this.#road = road;
    this.#request = request;
    this.#response = response;
    this.#resolve = resolve;
  }

  start(extra: readonly string[]): void {
    const { method = 'GET', rawHeaders } = this.#request;
    const own = passedOn(rawHeaders, isHost);
    this.#headers = ['Host', this.#road.target.host, ...own, ...extra];
    // Without a length or chunks there is no body (RFC 9112 §6.3); left alone, Node would announce chunks.
    const framed = ['content-length', 'transfer-encoding'].some((name) => valuesOf(own, name).length > 0);
    if (!framed && !/^(?:GET|HEAD|DELETE|OPTIONS|TRACE)$/.test(method)) this.#headers.push('Content-Length', '0');
    this.#request.on('data', this.#sent.add).on('data', () => this.#patience?.refresh());
    this.#request.on('error', () => undefined);
    this.#response.once('close', () => this.#end({ code: 'hung_up', message: 'the app hung up' }));
    this.#send(framed);
  }

  /** An idle connection may be closed by the other end just now; what has no body is then sent once more. */
  #send(framed: boolean): void {
    const { target, agent, open, timeoutMs, maxHeaderSize } = this.#road;
    const { method = 'GET', url = '/' } = this.#request;
    const { hostname, port, protocol } = target;
    const onward = open({
      ...{ agent, protocol, method, path: url, headers: this.#headers, timeout: timeoutMs, maxHeaderSize },
      hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
      ...(port === '' ? {} : { port }),
    });
    this.#onward = onward;
    this.#tries += 1;
    onward.on('information', ({ statusCode, rawHeaders }) => this.#hint(statusCode, rawHeaders));
    onward.on('response', (answer) => this.#receive(answer));
    const giveUp = () => void onward.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }));
    if (this.#patience) clearTimeout(this.#patience);
    this.#patience = setTimeout(giveUp, timeoutMs);
    onward.on('timeout', giveUp);
    // An upgrade nobody asked for closes the connection without an error.
    onward.on('close', () => {
      if (onward === this.#onward && this.#answer === null) this.#fail(new Error('closed'));
    });
    onward.on('error', (error) => {
      const idle = onward.reusedSocket && !framed && /^(?:GET|HEAD)$/.test(method) && this.#answer === null;
      if (this.#tries === 1 && idle && !this.#over) this.#send(framed);
      // Once the answer came it speaks for itself: the host may stop reading a body it has refused already.
      else if (this.#answer === null) this.#fail(error);
    });
    if (!framed) return void onward.end();
    this.#request.pipe(onward, { end: false });
    this.#request.once('end', () => {
      addTrailers(onward, this.#request.rawTrailers);
      onward.end();
    });
  }

  /** Interim answers come before the answer (RFC 9110 §15.2). Node has answered 100 itself. */
  #hint(status: number, raw: readonly string[]): void {
    const { link, ...others } = asRecord(passedOn(raw));
    try {
      if (status === 102) this.#response.writeProcessing();
      else if (status === 103 && link !== undefined)
        this.#response.writeEarlyHints({ ...others, link: link.split(/,\s*(?=<)/) });
    } catch {
      // Node is stricter in writing a hint than in reading one, and the app can do without it.
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
        passedOn(rawHeaders, (name) => bodiless && name === 'trailer'),
      );
    } catch {
      return this.#fail(Object.assign(new Error('a head that cannot be written again'), { code: 'HPE_HEAD' }));
    }
    this.#answer = answer;
    if (this.#patience) clearTimeout(this.#patience);
    // What comes later may come much later: the head does not wait for it.
    this.#response.flushHeaders();
    answer.on('data', this.#got.add);
    answer.once('error', (error) => this.#fail(error));
    answer.pipe(this.#response, { end: false });
    answer.once('end', () => {
      addTrailers(this.#response, answer.rawTrailers);
      this.#response.end();
      this.#end(null);
    });
  }

  /** No answer: said as a gateway says it (RFC 9110 §15.6.3, §15.6.5). Half an answer: cut, as the host cut it. */
  #fail(error: unknown): void {
    if (this.#over) return;
    const trouble = networkErrorOf(error, this.#road.target);
    if (this.#response.headersSent) this.#response.destroy();
    else
      sayNo(
        this.#response,
        trouble.code === 'timeout' ? 504 : 502,
        `no answer from ${this.#road.target.host}: ${trouble.message}`,
      );
    this.#end(trouble);
  }

  #end(trouble: NetworkError | null): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#patience) clearTimeout(this.#patience);
    if (trouble !== null) this.#onward?.destroy();
    const [requestHeaders, responseHeaders] = [asRecord(this.#headers), asRecord(this.#answer?.rawHeaders ?? [])];
    this.#resolve({
      status: this.#answer?.statusCode ?? null,
      requestHeaders,
      requestBody: this.#sent.text(requestHeaders),
      responseHeaders,
      responseBody: this.#got.text(responseHeaders),
      trouble,
      tries: this.#tries,
    });
  }
}

/** Fields after a chunked body (RFC 9110 §6.5). */
function addTrailers(to: ClientRequest | ServerResponse, raw: readonly string[]): void {
  const fields = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : []));
  if (fields.length > 0) to.addTrailers(fields);
}

/** An answer of the proxy's own, marked as such. */
export function sayNo(response: ServerResponse, status: number, why: string): void {
  const body = `credicorp proxy: ${why}\n`;
  response
    // Named: words that could not be written would stay.
    .writeHead(status, STATUS_CODES[status], {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Proxy-Status': 'credicorp',
    })
    .end(body);
}
