import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { Failure } from '../../src/lib/failure.ts';
import { openDataFile } from '../../src/lib/sandbox/state/data-file.ts';
import { bench, START, type Body } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'credicorp-sandbox-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** A data file that does not exist yet, in a folder of its own. */
function place(): string {
  return join(mkdtempSync(join(root, 'place-')), 'state.db');
}

test('acknowledged state is there after a restart, and its timers continue', async (t) => {
  const data = place();
  const key = { 'idempotency-key': 'k' };
  const first = bench({ data });
  const made = await first.create({}, key);
  const slow = (await first.create({ business: { company_number: '00000408' } })).json;
  const endpoint = { url: 'http://127.0.0.1:3000/hook', enabled_events: ['decision.*'] };
  const hook = (await first.call('POST', '/partner/v1/webhook_endpoints', endpoint)).json;
  const link = (await first.call('POST', '/partner/v1/payments/links', { amount: 1, reference: 'r' })).json;
  await first.advance('5s');
  await first.call('POST', '/_sandbox/faults', { kind: 'rotate_keys' });
  const keys = (await first.bare('GET', '/oauth/jwks')).text;
  const page = (await first.call('GET', '/partner/v1/applications?limit=1')).json;
  await first.call('POST', '/_sandbox/oauth/revoke', { client_id: 'cid_sbx_scale' });
  await first.sandbox.stop();

  const second = bench({ data, seed: 'another' });
  t.after(() => second.sandbox.stop());
  assert.equal(second.sandbox.seed, 'ci');
  assert.match(second.sandbox.notices.join(), /the seed of the data file.*,the clock continues from the data file/);
  assert.deepEqual(first.sandbox.notices, []);
  const health = (await second.bare('GET', '/_sandbox/health')).json;
  assert.deepEqual([health.seed, health.now, health.counts.applications], ['ci', '2026-07-04T10:00:05Z', 2]);
  assert.equal((await second.create({}, key)).text, made.text);
  assert.equal((await second.call('GET', `/partner/v1/decisions/${made.json.id}`)).json.outcome, 'approved');
  assert.equal((await second.call('GET', `/partner/v1/decisions/${slow.id}`)).json.error.code, 'decision_not_ready');
  const rest = await second.call('GET', `/partner/v1/applications?cursor=${page.next_cursor}`);
  assert.equal(rest.json.data[0].id, made.json.id);
  assert.equal((await second.bare('GET', '/oauth/jwks')).text, keys);
  assert.equal((await second.bare('GET', new URL(link.url).pathname)).status, 200);
  await second.advance('10s');
  assert.equal((await second.call('GET', `/partner/v1/decisions/${slow.id}`)).json.outcome, 'approved');
  assert.equal(JSON.parse(second.webhookRequests[0]!.body).data.application_id, slow.id);
  assert.equal((await second.call('GET', `/partner/v1/webhook_endpoints/${hook.id}`)).status, 200);
  const ids = (await second.call('GET', '/partner/v1/applications')).json.data.map(({ id }: Body) => id);
  assert.ok(!ids.includes((await second.create()).json.id));
});

test('a delivery that failed before the restart is tried again on its schedule', async (t) => {
  const data = place();
  const first = bench({ data, receive: () => ({ status: 500, error: null }) });
  const endpoint = { url: 'http://127.0.0.1:3000/hook', enabled_events: ['*'] };
  await first.call('POST', '/partner/v1/webhook_endpoints', endpoint);
  await first.call('POST', '/_sandbox/events', { type: 'loan.closed' });
  await first.advance('30s');
  await first.sandbox.stop();
  const second = bench({ data });
  t.after(() => second.sandbox.stop());
  await second.advance('29s');
  assert.equal(second.webhookRequests.length, 0);
  await second.advance('1s');
  assert.equal(second.webhookRequests.length, 1);
});

test('a running clock continues between requests', async (t) => {
  const data = place();
  let now = START;
  const first = bench({ data, clock: {}, now: () => now });
  const { id } = (await first.create()).json;
  await first.advance('1h');
  await first.sandbox.stop();
  now += 60_000;
  const second = bench({ data, clock: {}, now: () => now });
  t.after(() => second.sandbox.stop());
  assert.equal((await second.bare('GET', '/_sandbox/health')).json.now, '2026-07-04T11:01:00Z');
  assert.equal((await second.call('GET', `/partner/v1/applications/${id}`)).json.status, 'approved');
});

test('kill -9 at any moment loses no acknowledged write', async (t) => {
  const data = place();
  const script = `
    import { serveSandbox } from ${JSON.stringify(new URL('../../src/lib/sandbox/sandbox-server.ts', import.meta.url).href)};
    const { url } = await serveSandbox({ host: '127.0.0.1', port: 0, version: '0', seed: 'ci', rateLimit: false, now: Date.now, data: ${JSON.stringify(data)} });
    console.log(url);
  `;
  const acknowledged: string[] = [];
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout, 'data');
    const url = String(line).trim();
    const ended = once(child, 'exit');
    const write = async (): Promise<void> => {
      for (;;) {
        const body = JSON.stringify({
          amount_pence: 100_000,
          term_months: 3,
          business: { company_number: '16093826' },
        });
        const headers = { authorization: 'Bearer sk_test_local' };
        const answer = await fetch(`${url}/partner/v1/applications`, { method: 'POST', headers, body });
        acknowledged.push(((await answer.json()) as { id: string }).id);
        if (acknowledged.length === (round + 1) * 60) child.kill('SIGKILL');
      }
    };
    await Promise.allSettled([write(), write(), write()]);
    await ended;
  }
  const last = bench({ data, clock: {} });
  t.after(() => last.sandbox.stop());
  assert.ok(acknowledged.length >= 180);
  for (const id of acknowledged) {
    assert.equal((await last.call('GET', `/partner/v1/applications/${id}`)).status, 200, id);
  }
});

test('the file is private, and a second process on it is refused', async (t) => {
  const data = place();
  const one = bench({ data });
  t.after(() => one.sandbox.stop());
  await one.create();
  assert.equal(statSync(data).mode & 0o777, 0o600);
  assert.throws(
    () => bench({ data }),
    (error) => error instanceof Failure && error.kind === 'unavailable' && error.facts.code === 'data_in_use',
  );
});

/** What each file of a folder is: its name, mode, size, age and place on the disk. */
function listing(folder: string): string[] {
  return readdirSync(folder).map((name) => {
    const { mode, size, mtimeMs, ino } = statSync(join(folder, name));
    return [name, mode.toString(8), size, mtimeMs, ino].join(' ');
  });
}

test('a file of somebody else is refused and stays as it is', () => {
  for (const make of [
    (path: string) =>
      writeFileSync(path, 'this is no database, it is a letter to my aunt. '.repeat(100), { mode: 0o644 }),
    (path: string) => writeFileSync(path, 'x', { mode: 0o644 }),
    (path: string) => {
      const db = new DatabaseSync(path);
      db.exec('CREATE TABLE mine (x); PRAGMA user_version = 7; PRAGMA journal_mode = WAL');
      db.close();
    },
    (path: string) => {
      const db = new DatabaseSync(path);
      db.exec('PRAGMA application_id = 7; CREATE TABLE records (x)');
      db.close();
    },
    (path: string) => mkdirSync(path),
  ]) {
    const data = place();
    make(data);
    const before = listing(join(data, '..'));
    assert.throws(
      () => bench({ data }),
      (error) => error instanceof Failure && error.facts.code === 'data_not_ours',
    );
    assert.deepEqual(listing(join(data, '..')), before, String(make));
  }
});

test('a symbolic link is not followed out of its folder, not even to a file of ours', async () => {
  const [data, elsewhere] = [place(), place()];
  const one = bench({ data: elsewhere });
  await one.sandbox.stop();
  const before = listing(join(elsewhere, '..'));
  symlinkSync(elsewhere, data);
  assert.throws(
    () => bench({ data }),
    (error) =>
      error instanceof Failure && error.facts.code === 'data_not_ours' && error.facts.next?.includes(elsewhere),
  );
  symlinkSync(join(elsewhere, '..', 'not-there'), `${data}.2`);
  assert.throws(
    () => bench({ data: `${data}.2` }),
    (error) => error instanceof Failure,
  );
  assert.deepEqual(listing(join(elsewhere, '..')), before);
  const beside = join(elsewhere, '..', 'beside.db');
  symlinkSync('state.db', beside);
  await bench({ data: beside }).sandbox.stop();
});

test('a file of a process that was killed at once is still known as ours', () => {
  const data = place();
  const db = openDataFile({ path: data, now: 0, clockAndCounters: () => ({}) });
  const bytes = readFileSync(data);
  db.close();
  assert.equal(bytes.subarray(68, 72).toString(), 'cred');
});

test('a file of ours that is of another version is set aside, never overwritten', async () => {
  const data = place();
  const db = new DatabaseSync(data);
  db.exec(`CREATE TABLE records (x); PRAGMA user_version = 99; PRAGMA application_id = ${0x63726564}`);
  db.close();
  const bytes = readFileSync(data);
  const one = bench({ data });
  assert.match(one.sandbox.notices.join(), /has the unknown version 99; it was set aside as .*corrupt/);
  await one.create();
  await one.sandbox.stop();
  const aside = readdirSync(join(data, '..')).filter((name) => name.includes('.corrupt-'));
  assert.equal(aside.length, 1);
  assert.deepEqual(readFileSync(join(data, '..', aside[0]!)), bytes);
});

test('a file of the first format is read, and has sums from then on', async () => {
  const data = place();
  const one = bench({ data });
  const { id } = (await one.create()).json;
  await one.sandbox.stop();
  const db = new DatabaseSync(data);
  db.exec('ALTER TABLE records DROP COLUMN sum; PRAGMA user_version = 1');
  db.close();
  for (const round of [1, 2]) {
    const next = bench({ data });
    assert.equal((await next.call('GET', `/partner/v1/applications/${id}`)).status, 200, `round ${round}`);
    assert.doesNotMatch(next.sandbox.notices.join(), /set aside/);
    await next.create();
    await next.sandbox.stop();
  }
});

test('a reset empties the file too', async (t) => {
  const data = place();
  const one = bench({ data });
  await one.create();
  await one.call('POST', '/_sandbox/reset', { seed: 'fresh' });
  await one.sandbox.stop();
  const two = bench({ data });
  t.after(() => two.sandbox.stop());
  const { seed, counts } = (await two.bare('GET', '/_sandbox/health')).json;
  assert.deepEqual([seed, counts.applications], ['fresh', 0]);
});

test('a place that cannot be written is a plain error', () => {
  const data = join(place(), 'no', 'such', 'directory.db');
  assert.throws(
    () => bench({ data }),
    (error) => error instanceof Failure && error.kind === 'unavailable',
  );
});
