/** The status line of a long wait: drawn after a while, and never over a question. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import {
  startSpinner,
  startStatusBar,
  suspendStatusLine,
  writeAboveStatusLine,
} from '../../src/lib/cli/output/status-line.ts';
import { worldOf } from '../support/world.ts';

test('a spinner names the wait, is hidden while a question is asked, and returns', () => {
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

test('a bar is drawn when its text changes, gives way to prompts and says so, and to the unfinished line of another program', () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  try {
    const { context, said } = worldOf({ home: '/nonexistent', terminal: true });
    let [text, read] = ['first' as string | null, 0];
    const since = (): string => {
      const fresh = said().stderr.slice(read);
      read = said().stderr.length;
      return fresh;
    };
    const prompts: boolean[] = [];
    const bar = startStatusBar(
      context,
      () => text,
      (open) => prompts.push(open),
    );
    mock.timers.tick(5000);
    assert.equal(since(), '\r\u001b[Kfirst', 'the same text is drawn once');
    text = 'second';
    bar.refresh();
    assert.equal(since(), '\r\u001b[Ksecond');

    const resume = suspendStatusLine(context.stderr);
    const resumeInner = suspendStatusLine(context.stderr);
    mock.timers.tick(5000);
    assert.equal(since(), '\r\u001b[K', 'nothing is drawn over a prompt');
    resumeInner();
    resume();
    assert.deepEqual(prompts, [true, false]);
    mock.timers.tick(5000);
    assert.equal(since(), '\r\u001b[Ksecond');

    writeAboveStatusLine(context.stderr, Buffer.from('half a '), () => undefined);
    mock.timers.tick(5000);
    assert.equal(since(), '\r\u001b[Khalf a ');
    writeAboveStatusLine(context.stderr, Buffer.from('line\n'), () => undefined);
    mock.timers.tick(5000);
    assert.equal(since(), 'line\n\r\u001b[Ksecond');

    text = null;
    bar.refresh();
    assert.equal(since(), '\r\u001b[K');
    bar.stop();
    mock.timers.tick(5000);
    assert.equal(since(), '');
  } finally {
    mock.timers.reset();
  }
});
