import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRateLimiter, type RateLimiter } from '../../src/lib/api/rate-limit.ts';
import { TIERS, type Tier } from '../../src/lib/contract/tiers.ts';
import { Failure } from '../../src/lib/failure.ts';

/** Time that passes only when everybody waits. */
class VirtualTime {
  #now = 1_000_000;
  readonly #sleepers: { at: number; wake: () => void }[] = [];
  now = (): number => this.#now;
  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new Failure('interrupted', 'stopped while waiting'));
      this.#sleepers.push({ at: this.#now + ms, wake: resolve });
    });

  async run<T>(work: Promise<T>): Promise<T> {
    const state = { over: false, still: 0 };
    const ended = work.finally(() => (state.over = true));
    ended.catch(() => undefined);
    while (!state.over) {
      await new Promise((resolve) => setImmediate(resolve));
      state.still += 1;
      if (!state.over && state.still >= 2 && this.#wakeNext()) state.still = 0;
    }
    return ended;
  }

  #wakeNext(): boolean {
    this.#sleepers.sort((a, b) => a.at - b.at);
    const next = this.#sleepers.shift();
    if (!next) return false;
    this.#now = Math.max(this.#now, next.at);
    next.wake();
    return true;
  }
}

/** The server's side of partner-api.md#rate-limits, to the letter: continuous refill, sub-limits, requests under way. */
class Project {
  refused = 0;
  served = 0;
  readonly #time: VirtualTime;
  readonly #tier: Tier;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  #underWay = 0;

  constructor(time: VirtualTime, tier: Tier) {
    this.#time = time;
    this.#tier = tier;
  }

  async serve(path: string, perSecond: number | null, latencyMs: number) {
    await this.#time.sleep(latencyMs / 2);
    const sub = perSecond === null ? null : this.#bucket(path, perSecond, perSecond);
    const project = this.#bucket('', this.#tier.perSecond, this.#tier.burst);
    const limit = sub !== null && sub.tokens < 1 ? perSecond : this.#tier.burst;
    const full = this.#underWay >= this.#tier.concurrent || project.tokens < 1 || (sub !== null && sub.tokens < 1);
    this.#underWay += 1;
    if (full) this.refused += 1;
    else {
      this.served += 1;
      project.tokens -= 1;
      if (sub) sub.tokens -= 1;
    }
    const remaining = String(Math.floor(project.tokens));
    await this.#time.sleep(latencyMs / 2);
    this.#underWay -= 1;
    const headers = { 'ratelimit-limit': String(limit), 'ratelimit-remaining': remaining, 'ratelimit-reset': '1' };
    return full ? { status: 429, headers: { ...headers, 'retry-after': '1' } } : { status: 200, headers };
  }

  #bucket(name: string, perSecond: number, burst: number) {
    const bucket = this.#buckets.get(name) ?? { tokens: burst, at: this.#time.now() };
    this.#buckets.set(name, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + ((this.#time.now() - bucket.at) * perSecond) / 1000);
    bucket.at = this.#time.now();
    return bucket;
  }
}

interface Load {
  method: string;
  path: string;
  perSecond: number | null;
  count: number;
  workers: number;
  tier: Tier;
  /** Milliseconds, by the number of the request. */
  latency: (n: number) => number;
}

async function run(time: VirtualTime, shared: RateLimiter, project: Project, load: Load): Promise<number> {
  const start = time.now();
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < load.count) {
      const n = (started += 1);
      const leave = await shared.enter(load.method, load.path);
      leave(await project.serve(load.path, load.perSecond, load.latency(n)));
    }
  };
  await time.run(Promise.all(Array.from({ length: load.workers }, worker)));
  return (time.now() - start) / 1000;
}

const jitter = (n: number): number => 5 + ((n * 7919) % 90);

describe('pace', () => {
  const links = { method: 'POST', path: '/partner/v1/payments/links', perSecond: 10 };
  const reads = { method: 'GET', path: '/partner/v1/applications', perSecond: null };
  const refresh = { method: 'POST', path: '/partner/v1/decisions/dec_1/refresh', perSecond: 1 };
  const rows: [what: string, load: Load, atLeastPerSecond: number][] = [
    [
      '200 payment links, one after another',
      { ...links, count: 200, workers: 1, tier: TIERS.build, latency: jitter },
      9.5,
    ],
    [
      '200 payment links, eight at a time',
      { ...links, count: 200, workers: 8, tier: TIERS.build, latency: jitter },
      9.5,
    ],
    ['200 reads, twenty at a time', { ...reads, count: 200, workers: 20, tier: TIERS.build, latency: jitter }, 12.5],
    ['20 refreshes', { ...refresh, count: 20, workers: 4, tier: TIERS.build, latency: () => 20 }, 0.95],
    ['1,000 reads on tier launch', { ...reads, count: 1000, workers: 20, tier: TIERS.launch, latency: jitter }, 25],
    ['3,000 reads on tier scale', { ...reads, count: 3000, workers: 50, tier: TIERS.scale, latency: jitter }, 100],
    [
      'slow answers, twenty at a time',
      { ...reads, count: 100, workers: 20, tier: TIERS.build, latency: () => 3000 },
      3,
    ],
  ];
  for (const [what, load, rate] of rows) {
    it(`${what}: no 429, at least ${rate} a second`, async () => {
      const time = new VirtualTime();
      const project = new Project(time, load.tier);
      const seconds = await run(time, createRateLimiter(time), project, load);
      assert.equal(project.refused, 0);
      assert.equal(project.served, load.count);
      assert.ok(load.count / seconds >= rate, `${(load.count / seconds).toFixed(2)} a second`);
    });
  }

  it('learns from the headers that others use the project too', async () => {
    const time = new VirtualTime();
    const project = new Project(time, TIERS.build);
    await time.run(Promise.all(Array.from({ length: 45 }, () => project.serve('/x', null, 0))));
    project.refused = 0;
    project.served = 0;
    await run(time, createRateLimiter(time), project, {
      ...reads,
      count: 40,
      workers: 1,
      tier: TIERS.build,
      latency: () => 10,
    });
    assert.equal(project.refused, 0);
  });

  it('holds everybody back after a 429, for as long as it says', async () => {
    const time = new VirtualTime();
    const shared = createRateLimiter(time);
    (await shared.enter('GET', '/x'))({ status: 429, headers: { 'retry-after': '7' } });
    const start = time.now();
    await time.run(Promise.all([shared.enter('GET', '/x'), shared.enter('POST', '/y')]));
    assert.ok(time.now() - start >= 7000);
  });

  it('does not hold back other routes after a 429 of a sub-limit', async () => {
    const time = new VirtualTime();
    const shared = createRateLimiter(time);
    const leave = await shared.enter(refresh.method, refresh.path);
    leave({ status: 429, headers: { 'ratelimit-limit': '1', 'ratelimit-remaining': '0', 'retry-after': '9' } });
    const start = time.now();
    await time.run(shared.enter('GET', '/partner/v1/accounts'));
    assert.equal(time.now(), start);
    await time.run(shared.enter(refresh.method, refresh.path));
    assert.ok(time.now() - start >= 9000);
  });

  it('does not pace a server that does not count', async () => {
    const time = new VirtualTime();
    const shared = createRateLimiter(time);
    const start = time.now();
    for (let n = 0; n < 500; n += 1) (await shared.enter(links.method, links.path))({ status: 200, headers: {} });
    const all = Array.from({ length: 100 }, () => shared.enter(links.method, links.path));
    await time.run(Promise.all(all));
    assert.equal(time.now(), start);
  });

  it('refuses at once what would have to wait too long, and tells of a wait that it makes', async () => {
    const time = new VirtualTime();
    const waits: { reason: string; ms: number }[] = [];
    const onWait = (wait: { reason: string; ms: number }): void => void waits.push(wait);
    const limiter = createRateLimiter({ now: time.now, sleep: time.sleep, onWait });
    (await limiter.enter('GET', '/x'))({ status: 429, headers: { 'retry-after': '5' } });
    (await time.run(limiter.enter('GET', '/x')))({ status: 429, headers: { 'retry-after': '3600' } });
    assert.deepEqual(waits, [{ reason: 'rate limit', ms: 5000 }]);
    const start = time.now();
    for (const _ of [1, 2]) {
      await assert.rejects(limiter.enter('GET', '/x'), (error) => {
        assert.ok(error instanceof Failure);
        assert.deepEqual(
          [error.kind, error.facts.code, error.facts.retryAfter],
          ['rate_limited', 'wait_too_long', 3600],
        );
        assert.match(error.facts.next ?? '', /3600 s \(1 h\); longer than 60 s is not waited for, --max-wait 1h waits/);
        return true;
      });
    }
    assert.equal(time.now(), start);
  });

  it('lets go of who is interrupted, in the queue and at the door', async () => {
    const time = new VirtualTime();
    const shared = createRateLimiter(time);
    const controller = new AbortController();
    const leaves = [];
    for (let n = 0; n < TIERS.build.concurrent; n += 1) leaves.push(await shared.enter('GET', '/x'));
    const queued = shared.enter('GET', '/x', controller.signal);
    controller.abort();
    (await queued)(null);
    const last = shared.enter('GET', '/x');
    leaves[0]?.(null);
    (await last)(null);

    const held = createRateLimiter(time);
    (await held.enter('GET', '/x'))({ status: 429, headers: { 'retry-after': '5' } });
    await assert.rejects(held.enter('GET', '/x', AbortSignal.abort()), { kind: 'interrupted' });
    await time.run(held.enter('GET', '/x'));
  });
});
