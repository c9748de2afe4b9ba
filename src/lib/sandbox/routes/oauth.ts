/** The token plane (partner-api.md#oauth-tokens): RFC 6749 §4.4 client credentials, RFC 7662 introspection, RFC 7517 keys, RFC 8414 discovery. */
import * as z from 'zod/mini';
import type { OAuthProblemBody } from '../../contract/problem-shape.ts';
import { OAUTH_PROBLEMS, type OAuthProblemCode } from '../../contract/problem.ts';
import { canonicalScope, type Scope, SCOPES } from '../../contract/scopes.ts';
import { type SandboxAnswer, type SandboxCall, json } from '../http/call.ts';
import { described, type Field, textType } from '../http/fields.ts';
import type { SandboxRoute } from '../requests/router.ts';
import { rateHeaders } from '../state/rate-limits.ts';
import type { SandboxState } from '../state/state.ts';
import { isLive, LIVE_ADVICE, mintToken, type Project, PROJECTS, TOKEN_LIFE_SECONDS } from '../token/authenticator.ts';

const NO_STORE = { 'Cache-Control': 'no-store' };

export function tokenRoutes(state: SandboxState): SandboxRoute[] {
  const token = (path: string): SandboxRoute => ({
    method: 'POST',
    path,
    plane: 'token',
    handle: (call) => mint(state, call),
  });
  const introspect = (path: string): SandboxRoute => ({
    method: 'POST',
    path,
    plane: 'token',
    handle: (call) => guarded(call, () => introspection(state, call)),
  });
  const keys = (path: string): SandboxRoute => ({
    method: 'GET',
    path,
    plane: 'open',
    handle: () => json(200, state.keyring.jwks(state.clock.now())),
  });
  return [
    ...['/partner/v1/oauth/token', '/oauth/token', '/oauth2/token'].map(token),
    ...['/partner/v1/oauth/introspect', '/oauth/introspect'].map(introspect),
    ...['/partner/v1/oauth/jwks', '/oauth/jwks', '/.well-known/jwks.json'].map(keys),
    {
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      plane: 'open',
      handle: () => json(200, discovery(state.settings.baseUrl)),
    },
    {
      method: 'GET',
      path: '/.well-known/oauth-protected-resource',
      plane: 'open',
      handle: () => {
        const base = state.settings.baseUrl;
        return json(200, { resource: `${base}/partner/v1`, authorization_servers: [base] });
      },
    },
  ];
}

/** An error of the token plane; thrown inside this file only. */
class OAuthRefusal extends Error {
  override readonly name = 'OAuthRefusal';
  readonly code: OAuthProblemCode;
  readonly headers: Record<string, string>;

  constructor(code: OAuthProblemCode, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

/** RFC 6749 §5.2: not the envelope. */
function guarded(call: SandboxCall, act: () => SandboxAnswer): SandboxAnswer {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof OAuthRefusal)) throw error;
    call.errorCode = error.code;
    const body: OAuthProblemBody = { error: error.code, error_description: error.message };
    return json(OAUTH_PROBLEMS[error.code].status, body, { ...NO_STORE, ...error.headers });
  }
}

function mint(state: SandboxState, call: SandboxCall): SandboxAnswer {
  call.secretive = true;
  return guarded(call, () => {
    const form = readForm(call);
    const project = authenticate(state, call, form);
    call.credential = { project: project.name, shown: 'cid_sbx_…', scopes: new Set() };
    const { figures, wait } = state.limits.mint(project.name);
    call.rate = figures;
    if (wait !== null) {
      throw new OAuthRefusal('rate_limit_exceeded', `Too many tokens were asked for. Wait ${wait} s.`, {
        'Retry-After': String(wait),
        ...rateHeaders(figures),
      });
    }
    validateForm(form, TOKEN_FIELDS);
    const scopes = scopesOf(form.get('scope'));
    const now = state.clock.now();
    const facts = {
      issuer: state.settings.baseUrl,
      clientId: project.clientId,
      scopes,
      now,
      jti: state.ids.bare('jti'),
    };
    const body = {
      access_token: mintToken(state.keyring, facts),
      token_type: 'Bearer',
      expires_in: TOKEN_LIFE_SECONDS,
      scope: scopes.join(' '),
    };
    return json(200, body, NO_STORE);
  });
}

function introspection(state: SandboxState, call: SandboxCall): SandboxAnswer {
  call.secretive = true;
  const form = readForm(call);
  const project = authenticate(state, call, form);
  validateForm(form, INTROSPECTION_FIELDS);
  const claims = state.authenticator.introspect(form.get('token') ?? '', state.clock.now());
  // Tokens of another project are hidden like everything else of it.
  if (claims === null || claims.client_id !== project.clientId) return json(200, { active: false }, NO_STORE);
  const { client_id, scope, exp, iss, aud, sub, iat, jti } = claims;
  return json(200, { active: true, client_id, scope, exp, iss, aud, sub, iat, jti, token_type: 'Bearer' }, NO_STORE);
}

interface FormField extends Field {
  /** The error code for a wrong value; an absent one is always `invalid_request`. */
  refusal?: OAuthProblemCode;
}

const CLIENT: readonly FormField[] = [
  { path: 'client_id', type: textType },
  { path: 'client_secret', type: textType },
];

const scopes = described(
  z.string().check(z.refine((value) => namesOf(value).every((name) => canonicalScope(name) !== null))),
  'names of known scopes, separated by spaces',
);

export const TOKEN_FIELDS: readonly FormField[] = [
  {
    path: 'grant_type',
    required: true,
    type: described(z.literal('client_credentials'), 'client_credentials'),
    refusal: 'unsupported_grant_type',
  },
  ...CLIENT,
  { path: 'scope', type: scopes, refusal: 'invalid_scope' },
];

export const INTROSPECTION_FIELDS: readonly FormField[] = [
  { path: 'token', required: true, type: textType },
  ...CLIENT,
];

/** The first field that is wrong decides; the token plane names no others. */
function validateForm(form: URLSearchParams, fields: readonly FormField[]): void {
  for (const { path, required, type, refusal = 'invalid_request' } of fields) {
    const value = form.get(path);
    if (value === null && required) throw new OAuthRefusal('invalid_request', `${path} is missing.`);
    if (value === null || type.safeParse(value).success) continue;
    throw new OAuthRefusal(refusal, `${path} must be ${z.globalRegistry.get(type)?.description}.`);
  }
}

/** The form body. RFC 6749 §3.2: a parameter stands at most once. */
function readForm({ request }: SandboxCall): URLSearchParams {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded' || !(request.body instanceof Uint8Array)) {
    throw new OAuthRefusal('invalid_request', 'The body must be application/x-www-form-urlencoded.');
  }
  const form = new URLSearchParams(Buffer.from(request.body).toString('utf8'));
  const names = [...form.keys()];
  if (new Set(names).size < names.length) throw new OAuthRefusal('invalid_request', 'A parameter is given twice.');
  return form;
}

/** Client authentication in the form or by HTTP Basic (RFC 6749 §2.3.1). */
function authenticate(state: SandboxState, call: SandboxCall, form: URLSearchParams): Project {
  const basic = readBasic(call.request.authorization);
  const id = form.get('client_id');
  if (basic !== null && id !== null && basic.id !== id) {
    throw new OAuthRefusal('invalid_request', 'The client ids of the form and of HTTP Basic differ.');
  }
  const clientId = basic?.id ?? id;
  const secret = basic?.secret ?? form.get('client_secret');
  if (clientId === null || clientId === '') {
    throw new OAuthRefusal('invalid_request', 'The client is not identified: send client_id or use HTTP Basic.');
  }
  const challenge = basic === null ? {} : { 'WWW-Authenticate': 'Basic realm="credicorp"' };
  if (isLive(clientId) || isLive(secret ?? '')) throw new OAuthRefusal('invalid_client', LIVE_ADVICE, challenge);
  const project = PROJECTS.find((one) => one.clientId === clientId);
  if (project === undefined || project.clientSecret !== secret) {
    throw new OAuthRefusal('invalid_client', 'The client is unknown or its secret is wrong.', challenge);
  }
  if (state.revoked.clients.has(clientId)) {
    throw new OAuthRefusal('invalid_client', 'The client has been revoked.', challenge);
  }
  return project;
}

/** Null when `Authorization` has another scheme or is absent. */
function readBasic(authorization: string | undefined): { id: string; secret: string } | null {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return null;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return { id: pair, secret: '' };
  return { id: formDecoded(pair.slice(0, colon)), secret: formDecoded(pair.slice(colon + 1)) };
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined. */
function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** Canonical names in the order asked for; every scope when none is named (partner-api.md#oauth-tokens, partner-api.md#scopes). */
function scopesOf(text: string | null): Scope[] {
  const names = namesOf(text ?? '');
  return names.length === 0 ? [...SCOPES] : [...new Set(names.flatMap((name) => canonicalScope(name) ?? []))];
}

function namesOf(scope: string): string[] {
  return scope.split(' ').filter((name) => name !== '');
}

function discovery(base: string): Record<string, unknown> {
  return {
    issuer: base,
    token_endpoint: `${base}/partner/v1/oauth/token`,
    jwks_uri: `${base}/partner/v1/oauth/jwks`,
    introspection_endpoint: `${base}/partner/v1/oauth/introspect`,
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    scopes_supported: SCOPES,
  };
}
