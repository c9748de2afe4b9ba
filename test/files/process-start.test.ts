/** A process is told from a later one with its pid, and from one that has ended. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { processStart } from '../../src/lib/files/process-start.ts';

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const start = (pid: number): string | null => processStart(pid, process.platform, exists);

test('the same process has the same start, another one another, and an ended one none', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdout.write("."); setInterval(() => {}, 1000)']);
  const pid = child.pid ?? 0;
  await once(child.stdout, 'data');
  const began = start(pid);
  assert.ok(began !== null && began !== '');
  assert.equal(start(pid), began);
  assert.notEqual(start(process.pid), began);
  child.kill('SIGSTOP');
  assert.equal(start(pid), began, 'a stopped process is still there');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(start(pid), null);
});

test('where the system tells no more, a process that exists has an empty start', () => {
  assert.equal(
    processStart(1, 'win32', () => true),
    '',
  );
  assert.equal(
    processStart(1, 'win32', () => false),
    null,
  );
});
