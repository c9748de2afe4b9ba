/**
 * Sandbox time (sandbox.md#virtual-clock): start + elapsed real time × speed + advances, and the steps that wait on it. A step is plain
 * data, so that it survives a restart; what it does is looked up by its kind when it is due.
 */
import { isoSeconds, timerMs } from '../../contract/time.ts';
import { PriorityQueue } from '../../priority-queue.ts';

export type StepKind =
  | 'submit'
  | 'review'
  | 'decide'
  | 'resolve'
  | 'refresh'
  | 'payment'
  | 'identity'
  | 'collect'
  | 'expire_link'
  | 'deliver';

/** How long after its cause each step is due, in milliseconds of sandbox time (sandbox.md#lifecycle-timings). */
export const STEP_WAITS = {
  submit: 150,
  review: 150,
  decide: 450,
  resolve: 2000,
  refresh: 300,
  payment: 300,
  identity: 300,
} as const;

export interface ScheduledStep {
  /** Sandbox milliseconds. */
  due: number;
  order: number;
  kind: StepKind;
  /** The object it is about. */
  id: string;
}

/** Does a step; a promise when it involves the network. */
export type RunStep = (step: ScheduledStep) => void | Promise<void>;

export interface ClockSettings {
  start: number | undefined;
  speed: number;
  frozen: boolean;
}

export interface Fired {
  steps: number;
  deliveries: number;
}

/** Latest instant the clock can be moved to: the last a four-digit year can write. */
export const END_OF_TIME = Date.parse('9999-12-31T23:59:59Z');

export class Clock {
  readonly #real: () => number;
  readonly #settings: ClockSettings;
  readonly #queue = new PriorityQueue<ScheduledStep>((a, b) => a.due < b.due || (a.due === b.due && a.order < b.order));
  readonly #underWay = new Set<Promise<void>>();
  #realOrigin = 0;
  #origin = 0;
  #advanced = 0;
  /** While steps run the clock stands at their instant. */
  #held: number | null = null;
  #order = 0;
  #second = Number.NaN;
  #stamp = '';
  /** Incremented by each restart, so that an advance which began before it stops. */
  #life = 0;
  #run: RunStep = () => {};
  #timer: NodeJS.Timeout | null = null;
  #ticking = false;
  #advancing: Promise<unknown> = Promise.resolve();
  /** Called after each batch of steps, so that what they changed can be written down. */
  onSettled: () => void = () => {};

  constructor(real: () => number, settings: ClockSettings) {
    this.#real = real;
    this.#settings = settings;
    this.restart();
  }

  get kind(): 'system' | 'frozen' | 'scaled' {
    if (this.#settings.frozen) return 'frozen';
    return this.#settings.speed === 1 ? 'system' : 'scaled';
  }

  /** The number of the last step, for saved state. */
  get order(): number {
    return this.#order;
  }

  onDue(run: RunStep): void {
    this.#run = run;
  }

  /** Restarts without waiting steps, at the configured start or at `at` (sandbox milliseconds). */
  restart(at = this.#settings.start, order = 0): void {
    this.#realOrigin = this.#real();
    this.#origin = at ?? this.#realOrigin;
    this.#advanced = 0;
    this.#order = order;
    this.#held = null;
    this.#life += 1;
    this.#queue.clear();
  }

  /** Sandbox milliseconds since the epoch. */
  now(): number {
    if (this.#held !== null) return this.#held;
    return this.#flowing();
  }

  /** The same as the API writes it: whole seconds. One text serves all who ask within a second. */
  stamp(): string {
    const second = Math.floor(this.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#stamp = isoSeconds(second * 1000);
    }
    return this.#stamp;
  }

  /** Plans a step; `order` is given only for one that comes back from saved state or keeps its place among equals. */
  plan(step: Omit<ScheduledStep, 'order'> & { order?: number }): ScheduledStep {
    const planned = { ...step, order: step.order ?? ++this.#order };
    if (planned.order > this.#order) this.#order = planned.order;
    this.#queue.push(planned);
    if (this.#queue.peek() === planned) this.#wake();
    return planned;
  }

  /** Starts a timer that runs steps as they become due. */
  start(): void {
    this.#ticking = true;
    this.#wake();
  }

  /** Ends the timer and waits for what is under way. */
  async stop(): Promise<void> {
    this.#ticking = false;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await Promise.allSettled(this.#underWay);
  }

  /** Runs every step that is due by now, in order, each at its own instant. */
  settle(): void {
    const limit = this.now();
    if ((this.#queue.peek()?.due ?? Infinity) > limit) return;
    const before = this.#held;
    while ((this.#queue.peek()?.due ?? Infinity) <= limit) this.#runNext();
    this.#held = before;
    this.onSettled();
    this.#wake();
  }

  /**
   * Moves the clock forward to `target`, running what becomes due on the way and waiting for each delivery attempt to end. The
   * clock stands still otherwise. One advance at a time.
   */
  advance(target: (now: number) => number): Promise<{ from: number; to: number; fired: Fired }> {
    const turn = this.#advancing.then(() => this.#advanceTo(target));
    this.#advancing = turn.catch(() => {});
    return turn;
  }

  async #advanceTo(target: (now: number) => number): Promise<{ from: number; to: number; fired: Fired }> {
    const life = this.#life;
    const from = this.now();
    const to = target(from);
    const fired = { steps: 0, deliveries: 0 };
    this.#held = from;
    try {
      for (;;) {
        await Promise.allSettled(this.#underWay);
        const next = this.#queue.peek();
        if (next === undefined || next.due > to || life !== this.#life) break;
        while (this.#queue.peek()?.due === next.due) {
          if (this.#runNext().kind === 'deliver') fired.deliveries += 1;
          else fired.steps += 1;
        }
        this.onSettled();
      }
    } finally {
      if (life === this.#life) {
        this.#held = null;
        this.#advanced += to - this.#flowing();
      }
      this.onSettled();
      this.#wake();
    }
    return { from, to, fired };
  }

  #flowing(): number {
    const elapsed = this.#settings.frozen ? 0 : (this.#real() - this.#realOrigin) * this.#settings.speed;
    return Math.floor(this.#origin + elapsed + this.#advanced);
  }

  #runNext(): ScheduledStep {
    const step = this.#queue.pop();
    if (step === undefined) throw new Error('no step is waiting');
    this.#held = Math.max(step.due, this.#held ?? step.due);
    const done = this.#run(step);
    if (done) {
      const settled = done.finally(() => this.#underWay.delete(settled));
      this.#underWay.add(settled);
    }
    return step;
  }

  #wake(): void {
    if (!this.#ticking || this.#held !== null) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const next = this.#queue.peek();
    if (next === undefined) return;
    const wait = next.due - this.#flowing();
    if (wait > 0 && this.#settings.frozen) return;
    const delay = timerMs(wait / this.#settings.speed);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#held === null) this.settle();
      this.#wake();
    }, delay);
    this.#timer.unref();
  }
}
