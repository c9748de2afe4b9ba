/** What a token says about itself, unverified: for `token show`, and never a reason to trust it. */

import { isRecord, parseJson } from '../contract/json.ts';
import { usage } from '../failure.ts';

export interface DecodedToken {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
}

/** Splits a JWT (RFC 7519 §3). @throws Failure `usage` (`not_a_jwt`) for an opaque token. */
export function decodeToken(token: string): DecodedToken {
  const parts = token.trim().split('.');
  const [header, claims] = [readPart(parts[0]), readPart(parts[1])];
  if (parts.length === 3 && header !== null && claims !== null) return { header, claims };
  throw usage('the token is opaque: only its server can read it', {
    code: 'not_a_jwt',
    next: 'ask the server: credicorp token introspect',
  });
}

function readPart(part: string | undefined): Record<string, unknown> | null {
  if (part === undefined || !/^[\w-]+$/.test(part)) return null;
  try {
    const value = parseJson(Buffer.from(part, 'base64url').toString('utf8'));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
