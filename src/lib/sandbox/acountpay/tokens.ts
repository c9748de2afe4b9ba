/** AcountPay's token plane, generation 1: client credentials in a form, and an HS256 token that only its issuer can verify. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isRecord } from '../../contract/json.ts';
import { json, type Answer, type Call } from '../exchange.ts';
import type { Limits } from '../limits.ts';
import type { World } from '../world.ts';

const CLIENT = { id: 'partner_local', secret: 'partner_secret_local' };
const SCOPE = 'payments:create payments:read';
const LIFE_S = 3600;

/** The body is the short form `{"error":"code"}`; no wait is told with a 429. */
export function refusal(call: Call, status: number, error: string): Answer {
  call.errorCode = error;
  return json(status, { error });
}

export function mintToken(world: World, limits: Limits, call: Call): Answer {
  call.secretive = true;
  const { body } = call.request;
  const form = new URLSearchParams(body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : '');
  if (form.get('client_id') !== CLIENT.id || form.get('client_secret') !== CLIENT.secret)
    return refusal(call, 401, 'invalid_client');
  if (limits.mint('local').wait !== null) return refusal(call, 429, 'rate_limit_exceeded');
  if (form.get('grant_type') !== 'client_credentials') return refusal(call, 400, 'invalid_grant');
  const now = Math.floor(world.clock.now() / 1000);
  const claims = {
    iss: world.settings.baseUrl,
    sub: CLIENT.id,
    scope: SCOPE,
    iat: now,
    exp: now + LIFE_S,
    jti: world.ids.bare('jti'),
  };
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  const token = `${text}.${sign(world, text)}`;
  const answer = { access_token: token, token_type: 'Bearer', expires_in: LIFE_S, scope: SCOPE };
  return json(200, answer, { 'Cache-Control': 'no-store' });
}

/** True for a bearer of ours whose time is not over. */
export function admits(world: World, call: Call): boolean {
  const token = /^bearer +(\S+)$/i.exec(call.request.authorization ?? '')?.[1] ?? '';
  const [header = '', claims = '', signature = ''] = token.split('.');
  const expected = Buffer.from(sign(world, `${header}.${claims}`));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  const found: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
  return isRecord(found) && typeof found['exp'] === 'number' && found['exp'] * 1000 > world.clock.now();
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function sign(world: World, text: string): string {
  return createHmac('sha256', `acountpay ${world.seed}`).update(text).digest('base64url');
}
