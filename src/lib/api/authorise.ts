/** Puts the bearer on a request, and on a 401 that a newer token could cure asks for one, once (partner-api.md#oauth-tokens). */
import type { Interceptor } from './chain.ts';
import { readProblem } from '../contract/error-answer.ts';
import type { TransportAnswer } from './transport-answer.ts';

/** Lends a token. `refused` is one the server just turned down; null asks for any. May give the same again: then nothing newer exists. */
export type LendToken = (ask: { refused: string | null }) => Promise<string>;

export function authorise(token: LendToken): Interceptor {
  return (next) => async (call) => {
    const bearer = await token({ refused: null });
    const withToken = (value: string): typeof call.request => ({
      ...call.request,
      headers: { ...call.request.headers, authorization: `Bearer ${value}` },
    });
    call.request = withToken(bearer);
    const answer = await next(call);
    if (!isStale(answer)) return answer;
    const fresh = await token({ refused: bearer });
    if (fresh === bearer) return answer;
    call.request = withToken(fresh);
    return next(call);
  };
}

/** 403 never; `token_revoked` and `audience_mismatch` a new token of the same client would not cure. */
function isStale(answer: TransportAnswer): boolean {
  if (answer.status !== 401) return false;
  const { code } = readProblem(answer);
  return code === 'token_expired' || code === 'unauthorized' || code === 'invalid_token';
}

/** Puts credentials on a request that are no bearer (AcountPay, second generation). A refusal of them is final. */
export function present(credentials: () => Promise<Record<string, string>>): Interceptor {
  return (next) => async (call) => {
    call.request = { ...call.request, headers: { ...call.request.headers, ...(await credentials()) } };
    return next(call);
  };
}
