/** A full disk is called a full disk, by whatever meets it. Needs a disk that can be filled: root mounts a small one. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { asFailure } from '../../src/lib/cli/explain.ts';
import { Failure } from '../../src/lib/failure.ts';
import { writePrivate } from '../../src/lib/files/private-files.ts';
import { openStore } from '../../src/lib/store/store.ts';
import { bench } from '../sandbox/support.ts';

const disk = mkdtempSync(join(tmpdir(), 'credicorp-full-'));
const mounted = mount();
after(() => {
  if (mounted) execFileSync('umount', ['--lazy', disk]);
  rmSync(disk, { recursive: true });
});

function mount(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Takes what is left of the disk. */
function fill(name: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, name), Buffer.alloc(bavail * bsize));
}

function isNamed(error: unknown): boolean {
  assert.ok(error instanceof Failure, String(error));
  assert.deepEqual([error.kind, error.facts.code], ['unavailable', 'disk_full']);
  assert.match(error.message, /^the disk is full/);
  return true;
}

test('the store, private files, the data file of the sandbox, and any other file', { skip: !mounted }, async () => {
  const path = join(disk, 'store.db');
  const data = join(disk, 'data.db');
  const one = bench({ data });
  await one.create();
  fill('ballast');
  assert.throws(() => openStore({ path, now: Date.now, tables: [] }), isNamed);
  assert.throws(() => writePrivate(join(disk, 'config.json'), 'x'.repeat(9000)), isNamed);
  assert.throws(() => {
    try {
      writeFileSync(join(disk, 'any'), 'x'.repeat(9000));
    } catch (error) {
      throw asFailure(error, 'apps list');
    }
  }, isNamed);
  for (let n = 0; n < 20; n++) {
    const { status, json } = await one.create();
    if (status === 503) assert.match(json.error.message, /could not be written: the disk is full\.$/);
    if (n === 19) assert.equal(status, 503);
  }
  assert.equal((await one.bare('GET', '/_sandbox/health')).status, 200);
  assert.throws(() => bench({ data: join(disk, 'another.db') }), isNamed);
  rmSync(join(disk, 'ballast'));
  assert.equal((await one.create()).status, 201);
  await one.sandbox.stop();
});
