/** What is to happen later: a binary heap ordered by due time, then by order of creation (sandbox.md#lifecycle-timings). */

export interface Queued {
  /** Sandbox milliseconds. */
  due: number;
  order: number;
}

export class Queue<T extends Queued> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  peek(): T | undefined {
    return this.#heap[0];
  }

  push(item: T): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(item, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  pop(): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    this.#sink(last);
    return first;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #sink(item: T): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const rightIsFirst = right !== undefined && before(right, left);
      const child = rightIsFirst ? right : left;
      if (!before(child, item)) break;
      heap[at] = child;
      at = 2 * at + (rightIsFirst ? 2 : 1);
    }
    heap[at] = item;
  }
}

function before(a: Queued, b: Queued): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
