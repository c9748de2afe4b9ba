/** The transport as it is lent to whoever makes calls outside the client: each call is written down, as the client's are. */
import { compose } from '../api/chain.ts';
import { recordOf, trace } from '../api/trace.ts';
import type { Transport } from '../api/transport.ts';
import { environmentOfHost } from '../contract/environments.ts';
import type { WriteDown } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';

/** @param now milliseconds since the epoch */
export function writtenDown(transport: Transport, record: WriteDown, now: () => number): Transport {
  return {
    send: (request) => {
      const traced = trace({ record, now, environment: environmentOfHost(request.url) });
      return compose(({ request: passed }) => transport.send(passed), traced)({ request, attempt: 0, startedAt: null });
    },
    /** A stream is one call, written down when it begins: what it brings is not kept. */
    stream: async (request, idleMs) => {
      const at = now();
      const write = (ended: Parameters<typeof recordOf>[1]): void => {
        const seen = { at, attempt: 1, environment: environmentOfHost(request.url), latencyMs: now() - at };
        record(recordOf(request, ended, seen));
      };
      try {
        const answer = await transport.stream(request, idleMs);
        write({ status: answer.status, headers: answer.headers, text: '' });
        return answer;
      } catch (error) {
        if (error instanceof Failure) write(error);
        throw error;
      }
    },
    close: () => transport.close(),
  };
}
