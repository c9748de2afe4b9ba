/** Two hundred payment links on tier build: as fast as the API lets them be made, and none too fast. Mostly waiting. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startSandbox } from '../support/embedded.ts';
import { runInside } from '../support/inside.ts';
import { freshHome, start } from '../support/spawn.ts';

const LINKS = 200;
/** partner-api.md#endpoint-inventory: payment links, per second; the burst is as large. */
const CEILING = 10;

test(`${LINKS} links in a row: at least 95 % of ${CEILING} per second, and not one 429`, async () => {
  using home = freshHome();
  const sandbox = await startSandbox(home.path, '--seed', 'pace');
  try {
    const rows = Array.from({ length: LINKS }, (_, n) =>
      JSON.stringify({ amount_pence: 1000 + n, reference: `R-${n}` }),
    );
    const child = start('bin/run.js', ['payments', 'link', '--from', '-', '--json'], home.env);
    const began = performance.now();
    child.stdin.end(rows.join('\n'));
    child.stderr.resume();
    const ended = once(child, 'close');
    const seen: number[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      assert.match(line, /"ok":true/);
      seen.push(performance.now() - began);
    }
    assert.deepEqual([(await ended)[0], seen.length], [0, LINKS]);
    const seconds = ((seen.at(-1) ?? 0) - (seen[0] ?? 0)) / 1000;
    assert.ok(LINKS / seconds >= CEILING * 0.95, `${LINKS} in ${seconds.toFixed(1)} s`);
    const stats = await runInside(['logs', 'stats', '--json'], home.env);
    const { statuses } = JSON.parse(stats.stdout) as { statuses: { status: string; calls: number }[] };
    const calls = new Map(statuses.map(({ status, calls: count }) => [status, count]));
    assert.deepEqual(
      [calls.get('201'), calls.get('429')],
      [LINKS, undefined],
      'sent once each, and never told to wait',
    );
  } finally {
    await sandbox.stop();
  }
});
