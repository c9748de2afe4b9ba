/** One request to the sandbox and its answer as plain data, whether it came through `fetch` or a port. */
import type { Scope } from '../../contract/scopes.ts';
import type { EventSink } from '../../http-server/server-event-writer.ts';

/** A sandbox holds three projects, each with credentials and records of its own (sandbox.md#start-up). */
export type ProjectName = 'local' | 'launch' | 'scale';

export interface SandboxRequest {
  method: string;
  /** As sent, percent-encoding untouched. */
  path: string;
  /** Without the question mark. */
  query: string;
  /** Lower-case names; those that carry credentials are left out, so that no log can hold them. */
  headers: Readonly<Record<string, string>>;
  authorization: string | undefined;
  /** null when there was none, and once it was logged; `too_large` when it went over the cap and was not read. */
  body: Uint8Array | null | 'too_large';
  /** Address of the caller. */
  peer: string;
}

export interface SandboxAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** How the same body is rendered again at any time: an idempotent answer need not be kept as text then. */
  again?: Again;
  /** Bytes that follow the headers over time, instead of `body`. */
  stream?: Stream;
}

/** `render` gives the same text for this resource whenever it is asked. */
export interface Again {
  resource: object;
  render(resource: object): string;
}

/** Writes until it returns; `closed` is aborted when the reader went away. */
export type Stream = (sink: EventSink, closed: AbortSignal) => void;

/** The connection is closed without an answer (sandbox.md#fault-injection). */
export const DROPPED = 'dropped';

export type Outgoing = SandboxAnswer | typeof DROPPED;

export interface AcceptedCredential {
  project: ProjectName;
  /** What the log shows: a prefix. */
  shown: string;
  scopes: ReadonlySet<Scope>;
}

/** One request on its way through the sandbox. Handlers add what the request log should show. */
export class SandboxCall {
  readonly request: SandboxRequest;
  readonly requestId: string;
  /** Segments of the path that stand for ids, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Set once the credential was accepted. */
  credential: AcceptedCredential | null = null;
  /** The JSON body of a partner or admin request; undefined when there was none. */
  body: unknown = undefined;
  readonly notes: string[] = [];
  resourceIds: string[] = [];
  scope: Scope | null = null;
  idempotencyKey: string | null = null;
  replayed = false;
  faultId: string | null = null;
  errorType: string | null = null;
  errorCode: string | null = null;
  errorParam: string | null = null;
  /** The bodies hold a secret that was asked for: they are redacted before they are kept. */
  secretive = false;
  /** Figures for the headers; null shows those of project `local`, nothing taken. */
  rate: RateFigures | null = null;
  #search: URLSearchParams | null = null;

  constructor(request: SandboxRequest, requestId: string, params: Readonly<Record<string, string>>) {
    this.request = request;
    this.requestId = requestId;
    this.params = params;
  }

  get search(): URLSearchParams {
    return (this.#search ??= new URLSearchParams(this.request.query));
  }
}

/** Headers that are never kept (sandbox.md#request-log-and-stream). */
export const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie']);

export interface RateFigures {
  limit: number;
  remaining: number;
  /** Whole seconds until the bucket is full. */
  reset: number;
}

/** Compact JSON, members in the order of the value (sandbox.md#determinism). */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): SandboxAnswer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

export function empty(status: number, headers: Record<string, string> = {}): SandboxAnswer {
  return { status, headers, body: '' };
}

/** The project of an authenticated call. @throws Error when the route did not ask for a credential: a bug */
export function projectOf(call: SandboxCall): ProjectName {
  if (call.credential === null) throw new Error('a partner route was reached without a credential');
  return call.credential.project;
}
