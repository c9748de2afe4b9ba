/** Request and Response on one side, plain data on the other. */
import { readStream } from '../http-server/body.ts';
import type { EventSink } from '../http-server/server-event-writer.ts';
import { CREDENTIAL_HEADERS, type SandboxAnswer, type SandboxRequest } from './http/call.ts';

/** Bodies over this many bytes are not read (partner-api.md#requests-and-responses). */
export const BODY_LIMIT = 65_536;

export async function incomingOf(request: Request, peer: string): Promise<SandboxRequest> {
  const url = new URL(request.url);
  const headers: Record<string, string> = {};
  for (const [name, value] of request.headers) if (!CREDENTIAL_HEADERS.has(name)) headers[name] = value;
  // A Request made by hand carries no Host.
  headers['host'] ??= url.host;
  return {
    method: request.method,
    path: url.pathname,
    query: url.search.slice(1),
    headers,
    authorization: request.headers.get('authorization') ?? undefined,
    body: request.body === null ? null : await readStream(request.body, BODY_LIMIT),
    peer,
  };
}

export function answerOf(answer: SandboxAnswer, method: string): Response {
  const { status, headers, stream } = answer;
  if (stream) return new Response(method === 'HEAD' ? null : streamOf(stream), { status, headers });
  const bare = method === 'HEAD' || status === 204 || status === 303;
  return new Response(bare ? null : answer.body, { status, headers });
}

function streamOf(stream: NonNullable<SandboxAnswer['stream']>): ReadableStream<Uint8Array> {
  const closed = new AbortController();
  const encoder = new TextEncoder();
  let ended = false;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const end = (): void => {
        if (ended) return;
        ended = true;
        closed.abort();
        controller.close();
      };
      const sink: EventSink = {
        write: (text) => {
          if (!ended) controller.enqueue(encoder.encode(text));
        },
        waiting: () => Math.max(0, -(controller.desiredSize ?? 0)),
        end,
        cut: end,
      };
      stream(sink, closed.signal);
    },
    cancel: () => {
      ended = true;
      closed.abort();
    },
  });
}
