/** Reads server-sent events (HTML standard §9.2) from bytes. A message over 8 MiB is an error. */
import { createParser } from 'eventsource-parser';
import { Failure } from '../failure.ts';

export interface ServerEvent {
  event: string;
  data: string;
  /** The id of this or the last earlier message that had one; empty when none had. */
  id: string;
}

const MAX_CHARACTERS = 8 * 1024 * 1024;

/** @throws Failure `unavailable` when a message is longer than 8 MiB. */
export async function* readServerEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent, void, undefined> {
  let complete: ServerEvent[] = [];
  let lastId = '';
  const parser = createParser({
    maxBufferSize: MAX_CHARACTERS,
    onId: (id) => (lastId = id),
    onEvent: ({ event = 'message', data }) => complete.push({ event: event || 'message', data, id: lastId }),
    // Unknown fields are skipped, as the standard asks.
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') {
        throw new Failure('unavailable', 'a message of the event stream is longer than 8 MiB', { code: 'too_large' });
      }
    },
  });
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* complete;
    complete = [];
  }
}
