import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PriorityQueue } from '../src/lib/priority-queue.ts';

test('items leave in the order of the comparison, whatever the order they came in', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (numbers) => {
      const queue = new PriorityQueue<number>((a, b) => a < b);
      for (const number of numbers) queue.push(number);
      assert.equal(queue.size, numbers.length);
      const taken = [];
      for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
        assert.equal(queue.pop(), next);
        taken.push(next);
      }
      assert.deepEqual(
        taken,
        [...numbers].sort((a, b) => a - b),
      );
      assert.equal(queue.pop(), undefined);
    }),
  );
});

test('adding and taking may alternate, and a cleared queue is empty', () => {
  const queue = new PriorityQueue<number>((a, b) => a < b);
  for (const number of [5, 1, 4]) queue.push(number);
  assert.equal(queue.pop(), 1);
  queue.push(2);
  assert.equal(queue.pop(), 2);
  queue.clear();
  assert.equal(queue.size, 0);
  assert.equal(queue.pop(), undefined);
});
