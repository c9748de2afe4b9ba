/** At most so many things at once, the rest in order of arrival. */

export class Lane {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(width: number) {
    this.#width = width;
  }

  get idle(): boolean {
    return this.#underWay === 0;
  }

  async run(act: () => Promise<void>): Promise<void> {
    if (this.#underWay >= this.#width) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#underWay += 1;
    try {
      await act();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, so that nobody slips in between.
      if (next) next();
      else this.#underWay -= 1;
    }
  }
}
