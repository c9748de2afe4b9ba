/** A value or a promise of it. Most answers need no waiting, and a promise for each step would cost more than the step. */

export type MaybePromise<T> = T | Promise<T>;

export function andThen<T, R>(value: MaybePromise<T>, continueWith: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(continueWith) : continueWith(value);
}

/** Runs `act`, then `after` however it ended: with its value, or with null when it threw. */
export function andFinally<T>(act: () => MaybePromise<T>, after: (value: T | null) => void): MaybePromise<T> {
  let value: MaybePromise<T>;
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
