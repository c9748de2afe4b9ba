import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer } from '../../src/lib/api/answers.ts';
import { waitUntil } from '../../src/lib/api/wait.ts';
import { Failure } from '../../src/lib/failure.ts';

const answer: Answer<string> = { status: 200, headers: {}, requestId: null, text: '"x"', json: 'x', data: 'x' };

function setUp() {
  const pauses: number[] = [];
  let time = 0;
  const sleep = async (ms: number): Promise<void> => {
    pauses.push(Math.round(ms));
    time += ms;
  };
  return { pauses, options: { now: () => time, sleep } };
}

describe('waitUntil', () => {
  it('looks ever more slowly, five seconds apart at most, and once more when the time is up', async () => {
    const { pauses, options } = setUp();
    let looks = 0;
    const look = async () => ({ state: `state ${(looks += 1)}`, last: { looks } });
    await assert.rejects(waitUntil('the check', look, { ...options, timeoutMs: 30_000 }), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, 'pending');
      assert.equal(error.message, `the check is still state ${looks}`);
      assert.deepEqual(error.facts.last, { looks });
      return true;
    });
    assert.deepEqual(pauses.slice(0, 9), [250, 375, 563, 844, 1266, 1898, 2848, 4271, 5000]);
    assert.equal(Math.round(pauses.reduce((sum, ms) => sum + ms, 0) / 100), 300);
    assert.equal(looks, pauses.length + 1);
  });

  it('returns a final state at once, and reports each state before it', async () => {
    const { pauses, options } = setUp();
    const states: string[] = [];
    let looks = 0;
    const look = async () => ((looks += 1) < 3 ? { state: 'pending', last: null } : { done: answer });
    assert.equal(
      await waitUntil('x', look, { ...options, timeoutMs: 1000, onState: (state) => states.push(state) }),
      answer,
    );
    assert.equal(pauses.length, 2);
    assert.deepEqual(states, ['pending', 'pending']);
  });

  it('looks once with no time at all, and passes on what goes wrong', async () => {
    const { options } = setUp();
    assert.equal(await waitUntil('x', async () => ({ done: answer }), { ...options, timeoutMs: 0 }), answer);
    await assert.rejects(
      waitUntil('x', async () => ({ state: 's', last: 1 }), { ...options, timeoutMs: 0 }),
      { kind: 'pending' },
    );
    await assert.rejects(
      waitUntil('x', () => Promise.reject(new Failure('auth', 'no')), { ...options, timeoutMs: 9 }),
      { kind: 'auth' },
    );
  });

  it('ends in time when the API keeps a look waiting', { timeout: 5000 }, async () => {
    const hanging = (signal: AbortSignal) =>
      new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Failure('interrupted', 'stopped'))),
      );
    const began = performance.now();
    await assert.rejects(waitUntil('x', hanging, { now: () => performance.now(), timeoutMs: 20 }), { kind: 'pending' });
    assert.ok(performance.now() - began < 4000);
    const own = AbortSignal.abort();
    await assert.rejects(
      waitUntil('x', () => Promise.reject(new Failure('interrupted', 'stopped')), {
        now: () => 0,
        timeoutMs: 20,
        signal: own,
      }),
      { kind: 'interrupted' },
    );
  });
});
