/** Server-sent events (HTML standard §9.2), read from bytes. Pure, and bounded: a message that never ends is a mistake. */
import { Failure } from '../failure.ts';

export interface ServerEvent {
  event: string;
  data: string;
  /** The last id seen up to here; empty when there was none. */
  id: string;
}

const MOST_CHARACTERS = 8 * 1024 * 1024;

/** @throws Failure `unavailable` when a message is longer than 8 MiB. */
export async function* readServerEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent, void, undefined> {
  const message = new Message();
  for await (const line of readLines(body)) {
    const finished = message.take(line);
    if (finished) yield finished;
  }
}

class Message {
  #event = '';
  #data: string[] = [];
  #size = 0;
  #id = '';

  /** @returns the message that an empty line finishes */
  take(line: string): ServerEvent | null {
    if (line === '') return this.#finish();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    this.#size += line.length;
    if (this.#size > MOST_CHARACTERS) throw tooLong();
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  #finish(): ServerEvent | null {
    const finished = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    const empty = this.#data.length === 0;
    this.#event = '';
    this.#data = [];
    this.#size = 0;
    return empty ? null : finished;
  }
}

/** Lines end with LF, CR or both; a last line without an end is dropped, as the standard asks. */
async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    // A CR at the very end may be the first half of CR LF.
    const held = rest.endsWith('\r') ? '\r' : '';
    const lines = rest.slice(0, rest.length - held.length).split(/\r\n|\n|\r/);
    rest = (lines.pop() ?? '') + held;
    if (rest.length > MOST_CHARACTERS) throw tooLong();
    yield* lines;
  }
}

function tooLong(): Failure {
  return new Failure('unavailable', 'a message of the stream does not end', { code: 'too_large' });
}
