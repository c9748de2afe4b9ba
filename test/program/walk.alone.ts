/** How many files a reader follows for one create and one delivery. Alone, because timers that fall into a delivery are counted with it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('a create and a delivery pass no more files than their marks', () => {
  const script = join(import.meta.dirname, '..', '..', 'scripts', 'walk.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', script], { encoding: 'utf8' });
  const counted = [...stdout.matchAll(/^(\w+): passes (\d+) files/gm)];
  assert.deepEqual(
    counted.map(([, walk]) => walk),
    ['create', 'delivery'],
    stderr,
  );
  // Fewer would mean that nothing was traced.
  for (const [line, , count] of counted) assert.ok(Number(count) >= 10, line);
  assert.equal(status, 0, stdout);
});
