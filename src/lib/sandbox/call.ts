/** One request on its way through the sandbox, and what is learnt about it. */
import type { Scope } from '../contract/scopes.ts';
import type { Call, Credential, Incoming, RateFigures } from './exchange.ts';

export class OpenCall implements Call {
  readonly request: Incoming;
  readonly requestId: string;
  readonly params: Readonly<Record<string, string>>;
  credential: Credential | null = null;
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
  secretive = false;
  rate: RateFigures | null = null;
  #search: URLSearchParams | null = null;

  constructor(request: Incoming, requestId: string, params: Readonly<Record<string, string>>) {
    this.request = request;
    this.requestId = requestId;
    this.params = params;
  }

  get search(): URLSearchParams {
    return (this.#search ??= new URLSearchParams(this.request.query));
  }
}
