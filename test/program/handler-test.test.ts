/** `webhooks test`: verdicts, score, JUnit and status, against a handler that is right and one with a classic bug. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freshHome } from '../support/spawn.ts';
import { command, type Said } from '../support/world.ts';
import { lastV1 } from '../webhooks/handler-tests/handlers/last-v1.ts';
import { right } from '../webhooks/handler-tests/handlers/right.ts';

const home = freshHome();
const env = { CC_WEBHOOK_SECRET: 'whsec_battery', NO_COLOR: '1' };
const addresses: string[] = [];
const servers = [right, lastV1].map((handler) => createServer(handler('whsec_battery') satisfies RequestListener));
before(async () => {
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    addresses.push(`127.0.0.1:${(server.address() as AddressInfo).port}/hook`);
  }
});
after(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  home[Symbol.dispose]();
});
const battery = (address: string | undefined, terminal: boolean, ...flags: string[]): Promise<Said> =>
  command({ home: home.path, env, terminal }, 'webhooks', 'test', '--forward', address ?? '', ...flags);

test('a handler that is right passes with 0, nobody signed in', async () => {
  const said = await battery(addresses[0], false, '--json');
  assert.equal(said.status, 0, said.stderr);
  const events = said.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const score = events.at(-1);
  assert.deepEqual([score?.['type'], score?.['failed'], score?.['score']], ['score', 0, 100]);
  assert.ok(events.length > 30);
  assert.ok(events.slice(0, -1).every(({ type, verdict }) => type === 'check' && verdict === 'passed'));
  const sent = events.flatMap(({ statuses }) => (Array.isArray(statuses) ? statuses : []));
  const log = ['logs', 'tail', '--since', '1h', '--no-follow', '--source', 'listener', '--json'];
  const entries = (await command({ home: home.path }, ...log)).stdout.trim().split('\n');
  assert.equal(entries.length, sent.length, 'each delivery is in the log');
  assert.doesNotMatch(entries.join(), /whsec_battery/);
});

test('--only signature: what is about the signature, after one check that anything is taken', async () => {
  const said = await battery(addresses[0], false, '--only', 'signature', '--json');
  assert.equal(said.status, 0, said.stderr);
  const [first, ...rest] = said.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(first?.['verdict'], 'passed');
  const groups = new Set(rest.slice(0, -1).map(({ group }) => group));
  assert.deepEqual([...groups].sort(), ['age', 'forged', 'header', 'rotation']);
  assert.equal(rest.at(-2)?.['number'], rest.at(-2)?.['of']);
});

test('in a pipe each row is a check; the score is for people', async () => {
  const said = await battery(addresses[0], false);
  const rows = said.stdout.trimEnd().split('\n');
  assert.ok(rows.length > 30 && rows.every((row, n) => row.startsWith(`${n + 1}\t`)));
  assert.match(said.stderr, new RegExp(`^${rows.length} passed, 0 failed, score 100,`));
});

test('one with a bug ends with 9; the failure is explained at 80 columns and stands in the JUnit file', async () => {
  const said = await battery(addresses[1], true, '--junit', 'report.xml');
  assert.equal(said.status, 9, said.stderr);
  const lines = said.stdout.trimEnd().split('\n');
  assert.ok(lines.every((line) => [...line].length <= 80));
  const at = lines.findIndex((line) => /^failed {2}rotation/.test(line));
  assert.ok(at > 0);
  assert.match(lines[at + 1] ?? '', /^ {8}\S/);
  assert.match(lines.at(-1) ?? '', /^\d+ passed, [1-9]\d* failed, .*score \d\d,/);
  const report = readFileSync(join(home.path, 'report.xml'), 'utf8');
  const failures = Number(/failures="(\d+)"/.exec(report)?.[1]);
  assert.equal(failures, lines.filter((line) => line.startsWith('failed ')).length);
  assert.doesNotMatch(said.stdout + report, /whsec_battery/);
});

test('nothing there is 6, and no secret is 2', async () => {
  assert.equal((await battery('127.0.0.1:9/hook', false)).status, 6);
  const said = await command({ home: home.path }, 'webhooks', 'test', '--forward', addresses[0] ?? '');
  assert.equal(said.status, 2);
  assert.match(said.stderr, /no webhook secret is stored/);
});
