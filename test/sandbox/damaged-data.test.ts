/** A data file with one bit that is not as it was written: set aside, and what is whole goes on (sandbox.md#persistence). */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { APPLICATION, bench, type Body } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'credicorp-damaged-'));
after(() => rmSync(root, { recursive: true, force: true }));

function place(): string {
  return join(mkdtempSync(join(root, 'place-')), 'state.db');
}

let sound: Buffer;
const made = new Map<string, Body>();

before(async () => {
  const data = place();
  const one = bench({ data });
  for (let n = 0; n < 100; n++) await one.create({ reference: `INV-${n}` });
  await one.advance('1m');
  const { json } = await one.call('GET', '/partner/v1/applications?limit=100');
  for (const application of json.data) made.set(application.id, application);
  await one.sandbox.stop();
  sound = readFileSync(data);
});

/** Starts a sandbox on the file with one bit flipped; what it says and what it still has. */
async function startOn(bit: number): Promise<{ notices: string; found: Body[] }> {
  const data = place();
  const bytes = Buffer.from(sound);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(data, bytes);
  const one = bench({ data });
  const notices = one.sandbox.notices.join('\n');
  const found = (await one.call('GET', '/partner/v1/applications?limit=100')).json.data;
  const more = await one.call('POST', '/partner/v1/applications', APPLICATION);
  assert.equal(more.status, 201);
  assert.ok(!made.has(more.json.id));
  await one.advance('1m');
  assert.equal((await one.call('GET', `/partner/v1/decisions/${more.json.id}`)).json.outcome, 'approved');
  await one.sandbox.stop();
  const aside = readdirSync(dirname(data)).filter((name) => name !== 'state.db');
  if (aside.length > 0) {
    assert.match(notices, /was damaged; it was set aside as .*\.corrupt-\d+T\d+Z, the \d+ records that could be read/);
    assert.equal(aside.length, 1, aside.join());
    assert.deepEqual(readFileSync(join(dirname(data), aside[0]!)), bytes);
  }
  return { notices, found };
}

/** Positions that are the same in each run. */
function positions(count: number, from: number, to: number): number[] {
  let x = 20_260_704;
  return Array.from({ length: count }, () => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return from * 8 + Math.floor((x / 2 ** 32) * (to - from) * 8);
  });
}

test('25 single bits anywhere: it starts, nothing in it is wrong, and next to nothing is missing', async () => {
  assert.equal(made.size, 100);
  assert.ok(sound.length > 100 * 4096);
  let asides = 0;
  for (const bit of positions(25, 0, sound.length)) {
    const { notices, found } = await startOn(bit);
    asides += notices.includes('set aside') ? 1 : 0;
    for (const application of found) assert.deepEqual(application, made.get(application.id), `bit ${bit}`);
    // One page holds a handful of records.
    assert.ok(found.length >= 94, `bit ${bit}: ${found.length} applications`);
  }
  assert.ok(asides >= 15, String(asides));
});

test('damage where everything hangs on it: the first page, the root of the table', async () => {
  for (const bit of [...positions(8, 0, 68), ...positions(4, 100, 108), ...positions(4, 4000, 4096)]) {
    const { found } = await startOn(bit);
    assert.equal(found.length, 100, `bit ${bit}`);
  }
  for (const bit of positions(8, 4096, 4096 + 12)) {
    const { found } = await startOn(bit);
    assert.ok(found.length >= 94, `bit ${bit}: ${found.length} applications`);
  }
});
