/** The status line of a long wait: drawn after a while, and never over a question. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { startSpinner, suspendStatusLine } from '../../src/lib/cli/output/status-line.ts';
import { worldOf } from '../support/world.ts';

test('a spinner shows what is waited for, stays away while a question is asked, and comes back', () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  try {
    const { context, said } = worldOf({ home: '/nonexistent', terminal: true });
    const spinner = startSpinner(context, 'waiting for the API');
    mock.timers.tick(2000);
    assert.match(said().stderr, /waiting for the API/);
    const resume = suspendStatusLine(context.stderr);
    const before = said().stderr;
    mock.timers.tick(5000);
    assert.equal(said().stderr, before, 'nothing is drawn over the question');
    resume();
    mock.timers.tick(2000);
    assert.match(said().stderr.slice(before.length), /waiting for the API/);
    spinner.stop();
  } finally {
    mock.timers.reset();
  }
});
