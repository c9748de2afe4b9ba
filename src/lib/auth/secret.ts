/** A secret on its way through the program. Printing, logging, JSON and a debugger's view of it show nothing (partner-api.md#credential-kinds). */

import { inspect } from 'node:util';

const REDACTED = '[redacted]';

export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The secret itself, at the one place that needs it. */
  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
