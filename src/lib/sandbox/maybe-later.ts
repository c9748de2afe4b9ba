/** What is there at once or comes later. Most answers are there at once, and a promise for each step would cost more than the step. */

export type MaybeLater<T> = T | Promise<T>;

export function andThen<T, R>(value: MaybeLater<T>, continueWith: (value: T) => MaybeLater<R>): MaybeLater<R> {
  return value instanceof Promise ? value.then(continueWith) : continueWith(value);
}

/** Does `act`, then `after` whichever way it ended: with its value, or with null when it threw. */
export function thenAlways<T>(act: () => MaybeLater<T>, after: (value: T | null) => void): MaybeLater<T> {
  let value: MaybeLater<T>;
  try {
    value = act();
  } catch (error) {
    after(null);
    throw error;
  }
  if (!(value instanceof Promise)) {
    after(value);
    return value;
  }
  return value.then(
    (later) => {
      after(later);
      return later;
    },
    (error: unknown) => {
      after(null);
      throw error;
    },
  );
}
