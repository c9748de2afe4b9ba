/** A queue that gives the smallest number first; adding and taking cost the logarithm of its length. */
export interface Heap<T> {
  readonly size: number;
  push(rank: number, value: T): void;
  /** The value with the smallest rank, left in place. */
  peek(): T | undefined;
  pop(): T | undefined;
}

export function createHeap<T>(): Heap<T> {
  const entries: { rank: number; value: T }[] = [];
  const rank = (index: number): number => entries[index]?.rank ?? Infinity;
  const swap = (a: number, b: number): void => {
    const [first, second] = [entries[a], entries[b]];
    if (first === undefined || second === undefined) return;
    entries[a] = second;
    entries[b] = first;
  };
  return {
    get size() {
      return entries.length;
    },
    push(newRank, value) {
      let at = entries.push({ rank: newRank, value }) - 1;
      for (let up = (at - 1) >> 1; at > 0 && rank(at) < rank(up); up = (at - 1) >> 1) {
        swap(at, up);
        at = up;
      }
    },
    peek: () => entries[0]?.value,
    pop() {
      const top = entries[0];
      const last = entries.pop();
      if (top === undefined || last === undefined || top === last) return top?.value;
      entries[0] = last;
      for (let at = 0; ;) {
        const left = at * 2 + 1;
        const down = rank(left + 1) < rank(left) ? left + 1 : left;
        if (rank(down) >= rank(at)) return top.value;
        swap(at, down);
        at = down;
      }
    },
  };
}
