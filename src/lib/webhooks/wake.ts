/** Noticing that the machine slept: a short timer that fires much too late by the clock on the wall. */

export interface WakeWatch {
  /** Calls back at each wake. @returns how to stop that. */
  onWake(act: (sleptMs: number) => void): () => void;
  stop(): void;
}

export interface WakeTimes {
  beatMs: number;
  /** Lateness beyond which it was sleep and not a busy machine. */
  slackMs: number;
}

export function watchWake(now: () => number, times: WakeTimes = { beatMs: 1000, slackMs: 5000 }): WakeWatch {
  const acts = new Set<(sleptMs: number) => void>();
  let last = now();
  const timer = setInterval(() => {
    const late = now() - last - times.beatMs;
    last = now();
    if (late >= times.slackMs) for (const act of acts) act(late);
  }, times.beatMs);
  timer.unref();
  return {
    onWake(act) {
      acts.add(act);
      return () => void acts.delete(act);
    },
    stop: () => clearInterval(timer),
  };
}
