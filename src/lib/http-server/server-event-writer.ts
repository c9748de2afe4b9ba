/**
 * Writes server-sent events (HTML standard §9.2). Comments between messages keep the connection open and show the reader that it is;
 * a reader that falls too far behind, or takes nothing for long, is disconnected.
 */
import type { ServerResponse } from 'node:http';

/** Where the text goes: a response, or what stands for one. */
export interface EventSink {
  write(text: string): void;
  /** Bytes written that the reader has not taken; 0 while more can be written without queueing. */
  waiting(): number;
  /** Closes the connection once the reader has taken everything. */
  end(): void;
  /** Closes the connection at once. */
  cut(): void;
}

export interface ServerEventLimits {
  /** Milliseconds between two comments. */
  beatMs: number;
  /** Messages written while the reader was behind; one more ends the stream. Default: no limit. */
  maxBehind?: number;
  /** Comments in a row during which the reader took nothing; one more cuts the connection. Default: no limit. */
  maxStuckBeats?: number;
}

export class ServerEventWriter {
  readonly #sink: EventSink;
  readonly #limits: ServerEventLimits;
  readonly #beat: NodeJS.Timeout;
  #behind = 0;
  #stuckBeats = 0;

  constructor(sink: EventSink, limits: ServerEventLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#beat = setInterval(() => this.#keepOpen(), limits.beatMs).unref();
  }

  /** True while the reader has not taken what was written: more would be queued. */
  get isBehind(): boolean {
    return this.#sink.waiting() > 0;
  }

  /** @param data one line, as `JSON.stringify` gives it @returns false when the reader was too far behind and the stream has ended */
  send({ id, event, data }: { id?: string | number; event: string; data: string }): boolean {
    this.#behind = this.isBehind ? this.#behind + 1 : 0;
    if (this.#behind > (this.#limits.maxBehind ?? Infinity)) {
      this.end();
      return false;
    }
    this.#sink.write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`);
    return true;
  }

  comment(text: string): void {
    this.#sink.write(`: ${text}\n\n`);
  }

  end(): void {
    this.stop();
    this.#sink.end();
  }

  /** The connection is gone: no more comments. */
  stop(): void {
    clearInterval(this.#beat);
  }

  #keepOpen(): void {
    if (!this.isBehind || this.#limits.maxStuckBeats === undefined) {
      this.#stuckBeats = 0;
      return this.comment('still here');
    }
    this.#stuckBeats += 1;
    if (this.#stuckBeats <= this.#limits.maxStuckBeats) return;
    this.stop();
    this.#sink.cut();
  }
}

/** A response as a sink. `waiting` counts from where Node asks to stop writing: what a socket takes at once is not behind. */
export function responseSink(response: ServerResponse): EventSink {
  return {
    write: (text) => {
      if (!response.writableEnded) response.write(text);
    },
    waiting: () => (response.writableNeedDrain ? response.writableLength : 0),
    end: () => response.end(),
    cut: () => response.destroy(),
  };
}
