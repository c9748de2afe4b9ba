/** What AcountPay's answers do not carry: request ids and rate figures are Credicorp's. */
import { DROPPED, type Incoming, type Outgoing } from '../exchange.ts';

const OWN = [
  'Credicorp-Request-Id',
  'x-credicorp-request-id',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
];

export function unbranded<P extends (request: Incoming) => Outgoing | Promise<Outgoing>>(pipeline: P) {
  return async (request: Incoming): Promise<Outgoing> => {
    const outgoing = await pipeline(request);
    if (outgoing === DROPPED || request.path.startsWith('/_sandbox')) return outgoing;
    for (const name of OWN) delete outgoing.headers[name];
    return outgoing;
  };
}
