/** Texts that come again and again, such as a return address: kept once each. */

/** How many are remembered at most. */
const MOST = 256;

export class Texts {
  readonly #known = new Map<string, string>();

  /** The first text that was equal to this one. */
  share<T extends string | null>(text: T): T | string {
    if (text === null) return text;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}
