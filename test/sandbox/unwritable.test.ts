/** What becomes of acknowledged writes when the disk or the process lets the sandbox down (sandbox.md#persistence). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Failure } from '../../src/lib/failure.ts';
import { serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { APPLICATION, bench, type Body } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'credicorp-unwritable-'));
after(() => rmSync(root, { recursive: true, force: true }));

function place(): string {
  return join(mkdtempSync(join(root, 'place-')), 'state.db');
}

const windows = process.platform === 'win32';

test(
  'on a full disk a write is refused with 503, reads are answered, and earlier writes are kept',
  { skip: windows },
  async () => {
    const data = place();
    const module = new URL('../../src/lib/sandbox/sandbox-server.ts', import.meta.url).href;
    const script = `
    import { serveSandbox } from ${JSON.stringify(module)};
    const { url } = await serveSandbox({ host: '127.0.0.1', port: 0, version: '0', seed: 'ci', rateLimit: false, now: Date.now, data: ${JSON.stringify(data)} });
    console.log(url);
  `;
    // The kernel refuses to let a file grow past this many blocks, as a full disk would; Node ignores the signal that comes with it.
    const child = spawn(
      'sh',
      ['-c', 'ulimit -f 2000; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const ended = once(child, 'exit');
    const [line] = await once(child.stdout, 'data');
    const kept: string[] = [];
    let refused: { status: number; body: Body } | null = null;
    for (let i = 0; i < 2000 && refused === null; i++) {
      const headers = { authorization: 'Bearer sk_test_local', 'idempotency-key': `k${i}` };
      const body = JSON.stringify({ ...APPLICATION, reference: 'x'.repeat(128) });
      const answer = await fetch(`${String(line).trim()}/partner/v1/applications`, { method: 'POST', headers, body });
      const json = (await answer.json()) as Body;
      if (answer.status === 201) kept.push(json.id);
      else refused = { status: answer.status, body: json };
    }
    const url = String(line).trim();
    for (const path of [`/partner/v1/applications/${kept[0]}`, '/partner/v1/applications', '/_sandbox/health']) {
      const headers = { authorization: 'Bearer sk_test_local' };
      assert.equal((await fetch(url + path, { headers })).status, 200, path);
    }
    const form = { grant_type: 'client_credentials', client_id: 'cid_sbx_local', client_secret: 'csk_sbx_local' };
    const token = await fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) });
    assert.equal(token.status, 200, await token.text());
    child.kill('SIGKILL');
    await ended;
    assert.equal(refused?.status, 503);
    assert.equal(refused.body.error.code, 'service_unavailable');
    assert.match(refused.body.error.message, /data file .* could not be written/);
    assert.ok(kept.length > 10, String(kept.length));
    const next = bench({ data, clock: {} });
    for (const id of kept) assert.equal((await next.call('GET', `/partner/v1/applications/${id}`)).status, 200, id);
    await next.sandbox.stop();
  },
);

test('without its data file the sandbox refuses writes; put back, the same key gets the stored answer', async () => {
  const data = place();
  const one = bench({ data });
  const key = { 'idempotency-key': 'k' };
  await one.create();
  renameSync(data, `${data}.gone`);
  const refused = await one.create({}, key);
  assert.deepEqual([refused.status, refused.json.error.code], [503, 'service_unavailable']);
  assert.match(refused.json.error.message, /moved or removed/);
  renameSync(`${data}.gone`, data);
  const made = await one.create({}, key);
  assert.equal(made.status, 201);
  await one.sandbox.stop();
  const two = bench({ data });
  assert.equal((await two.call('GET', `/partner/v1/applications/${made.json.id}`)).status, 200);
  assert.equal((await two.bare('GET', '/_sandbox/health')).json.counts.applications, 2);
  await two.sandbox.stop();
});

test('a file that is missing at the end is a plain error', async () => {
  const data = place();
  const one = bench({ data });
  await one.create();
  rmSync(data);
  await assert.rejects(one.sandbox.stop(), (error) => error instanceof Failure && error.kind === 'unavailable');
});

test('writes answered while the sandbox stops are kept', async () => {
  const data = place();
  const options = { host: '127.0.0.1', port: 0, version: '0', seed: 'ci', now: Date.now, data };
  const { url, close } = await serveSandbox(options);
  const send = (path: string, body: object): Promise<Response> =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_local' },
      body: JSON.stringify(body),
    });
  await send('/_sandbox/faults', { kind: 'latency', delay_ms: 300 });
  const answer = send('/partner/v1/applications', APPLICATION);
  // The fault is used up once the request is being answered.
  const faults = async (): Promise<Body> => (await fetch(`${url}/_sandbox/faults`)).json();
  while ((await faults()).data.length > 0);
  await close();
  assert.equal((await answer).status, 201);
  const { id } = (await (await answer).json()) as { id: string };
  const next = bench({ data, clock: {} });
  assert.equal((await next.call('GET', `/partner/v1/applications/${id}`)).status, 200);
  await next.sandbox.stop();
});

test('an event under way at a crash is in the file: its id is never given out again, and it is sent again', async () => {
  const data = place();
  const copies: string[] = [];
  const one = bench({
    data,
    receive: () => {
      // What a crash at this moment would leave.
      const copy = place();
      for (const suffix of ['', '-wal']) copyFileSync(data + suffix, copy + suffix);
      copies.push(copy);
      return { status: 200, error: null };
    },
  });
  await one.call('POST', '/partner/v1/webhook_endpoints', { url: 'http://127.0.0.1:3000/', enabled_events: ['*'] });
  await one.create();
  await one.advance('1s');
  const sent = one.webhookRequests.map(({ body }) => JSON.parse(body).id);
  await one.sandbox.stop();
  assert.ok(copies.length >= 5);
  for (const [i, copy] of copies.entries()) {
    const next = bench({ data: copy });
    const events = (await next.bare('GET', '/_sandbox/events')).json.data.map(({ id }: Body) => id);
    assert.ok(events.includes(sent[i]), `event ${i}`);
    // Nobody knows whether it arrived, so it goes again.
    await next.advance('1s');
    assert.ok(next.webhookRequests.map(({ body }) => JSON.parse(body).id).includes(sent[i]), `delivery ${i}`);
    await next.sandbox.stop();
  }
});

test('an application of a company that has left the table since goes on as a lenient one', async () => {
  const data = place();
  const one = bench({ data, lenient: true });
  const { id } = (await one.create({ business: { company_number: '99999999' } })).json;
  await one.sandbox.stop();
  const two = bench({ data });
  assert.equal((await two.advance('10s')).status, 200);
  assert.equal((await two.call('GET', `/partner/v1/applications/${id}`)).json.status, 'approved');
  await two.sandbox.stop();
});
