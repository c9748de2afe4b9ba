/** The heading over lines that show the time of day only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDayHeading } from '../../src/lib/cli/output/terminal-text.ts';

process.env['TZ'] = 'Europe/London';

test('day and zone stand once, and again when the day or the offset changes', () => {
  const heading = createDayHeading();
  assert.equal(heading('2026-10-24T22:59:59.999Z'), '2026-10-24, times at +01:00');
  assert.equal(heading(Date.parse('2026-10-24T22:59:59.999Z')), null);
  assert.equal(heading('2026-10-24T23:00:00.000Z'), '2026-10-25, times at +01:00', 'midnight here, not at Greenwich');
  assert.equal(heading('2026-10-25T00:59:59.000Z'), null);
  assert.equal(heading('2026-10-25T01:00:00.000Z'), '2026-10-25, times at +00:00', 'the clocks went back');
  assert.equal(heading('2026-10-25T01:00:01.000Z'), null);
});
