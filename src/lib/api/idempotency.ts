/** Every write carries a key, one for each logical operation, the same over all its tries (partner-api.md#idempotency). */
import { usage } from '../failure.ts';
import type { Interceptor } from './chain.ts';

/** @param newKey a fresh UUID v4 */
export function idempotency(newKey: () => string): Interceptor {
  return (next) => async (call) => {
    if (/^(?:GET|HEAD|OPTIONS)$/.test(call.request.method)) return next(call);
    const key = call.request.headers['idempotency-key'] ?? newKey();
    if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
      throw usage('an idempotency key is 1 to 255 printable characters without spaces', {
        param: '--idempotency-key',
        code: 'bad_idempotency_key',
      });
    }
    call.request = { ...call.request, headers: { ...call.request.headers, 'idempotency-key': key } };
    return next(call);
  };
}
