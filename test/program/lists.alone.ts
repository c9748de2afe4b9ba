/** A list of 100,000: all of it, the first row at once, and no more memory than a short list takes. Nothing else may run beside it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { freshHome, root, start } from '../support/spawn.ts';

const MANY = 100_000;
/**
 * 45 MB of it is bare Node and 78 a list of one page. 110 to 133 were measured for 100,000, with no heap flags: the rest is garbage that
 * V8 has not yet collected, and must not grow with the list.
 */
const LIMIT_MB = 150;
const home = freshHome();
let api: Served;
let env: Record<string, string>;

before(async () => {
  api = await serveSandbox({
    ...{ host: '127.0.0.1', port: 0, seed: 'lists', version: '0', now: Date.now },
    ...{ tier: 'scale', rateLimit: false, autoSubmit: false },
  });
  env = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url };
  const body = Buffer.from('{"amount_pence":2500000,"term_months":12,"business":{"company_number":"16093826"}}');
  const create = { method: 'POST', path: '/partner/v1/applications', query: '', headers: { host: 'x' }, body };
  for (let n = 0; n < MANY; n += 1) {
    await api.sandbox.handle({ ...create, authorization: 'Bearer sk_test_local', peer: '127.0.0.1' });
  }
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

test('100,000 applications as NDJSON: every one, the first within a second, in bounded memory', async () => {
  const seen = await watched(start('bin/run.js', ['apps', 'list', '--all', '--json'], env), Infinity);
  assert.deepEqual([seen.status, seen.rows], [0, MANY]);
  assert.ok(seen.firstMs < 1000, `the first row after ${Math.round(seen.firstMs)} ms`);
  assert.ok(seen.peakMb < LIMIT_MB, `${seen.peakMb} MB`);
});

// The peak is reached within the first pages; a tenth of the list tells whether it grows.
for (const [as, open] of [
  ['rows with tabs', () => start('bin/run.js', ['apps', 'list', '--all'], env)],
  ['a table on a terminal', () => onTerminal('apps list --all')],
] as const) {
  test(`as ${as} it takes no more`, async () => {
    const seen = await watched(open(), MANY / 10);
    assert.ok(seen.rows >= MANY / 10 && seen.firstMs < 1000, `${seen.rows} rows, ${Math.round(seen.firstMs)} ms`);
    assert.ok(seen.peakMb > 40 && seen.peakMb < LIMIT_MB, `${seen.peakMb} MB`);
  });
}

function onTerminal(line: string): ChildProcess {
  const command = `exec '${process.execPath}' '${join(root, 'bin/run.js')}' ${line}`;
  const words = ['--quiet', '--return', '--flush', '--command', command, '/dev/null'];
  return spawn('script', words, {
    env: { ...env, TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

/** Reads until so many rows have come, and ends it there. */
async function watched(
  child: ChildProcess,
  most: number,
): Promise<{ status: unknown; rows: number; firstMs: number; peakMb: number }> {
  const began = performance.now();
  let [firstMs, rows, peakMb] = [0, 0, 0];
  child.stdout?.on('data', (chunk: Buffer) => {
    firstMs ||= performance.now() - began;
    for (const byte of chunk) if (byte === 10) rows += 1;
    peakMb = Math.max(peakMb, peakOf(child.pid));
    if (rows >= most) child.kill('SIGKILL');
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  return { status, rows, firstMs, peakMb };
}

/** Of the program, which is the only child where `script` stands before it. */
function peakOf(pid: number | undefined): number {
  try {
    const [inner = String(pid)] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${inner}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
