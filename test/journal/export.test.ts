import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { asCurl, asHar, isWhole } from '../../src/lib/journal/export.ts';
import { record } from './support.ts';

const entry = {
  seq: 1,
  ...record({
    method: 'POST',
    path: '/partner/v1/payments/links?a=1&b=%20',
    requestHeaders: {
      authorization: 'Bearer [redacted]',
      'content-type': 'application/json',
      'idempotency-key': "it's $HOME",
      'user-agent': 'x',
      host: 'h',
    },
    requestBody: `{"reference":"it's \`id\` $(id) \\\\ \\n"}`,
  }),
};

describe('curl', () => {
  it('is marked as incomplete when part of the call is not in the log', () => {
    assert.equal(isWhole(entry), true);
    for (const requestBody of [
      '{"a":…[cut: 40000 characters in all]',
      '{"client_secret":"[redacted]"}',
      '(9 bytes of x/y)',
    ])
      assert.equal(isWhole({ ...entry, requestBody }), false, requestBody);
    assert.equal(isWhole({ ...entry, requestHeaders: { 'x-api-key': '[redacted]' } }), false);
  });

  it('uses --head for a HEAD request', () => {
    assert.match(asCurl({ ...entry, method: 'HEAD' }), /^curl --include --head '/);
  });

  it('quotes a method that a shell would read as more than a word', () => {
    assert.ok(asCurl({ ...entry, method: 'GET;id' }).startsWith("curl --include -X 'GET;id' '"));
  });

  it('is one command that a shell parses correctly', async () => {
    const script = `credicorp() { echo "a-$1"; }; curl() { printf '%s\\0' "$@"; }; ${asCurl(entry)}`;
    const { stdout } = await promisify(execFile)('sh', ['-c', script]);
    assert.deepEqual(stdout.split('\0').slice(0, -1), [
      '--include',
      '-X',
      'POST',
      'http://127.0.0.1:4010/partner/v1/payments/links?a=1&b=%20',
      '-H',
      'Authorization: Bearer a-token',
      '-H',
      'content-type: application/json',
      '-H',
      "idempotency-key: it's $HOME",
      '--data-raw',
      entry.requestBody,
    ]);
  });
});

describe('HAR', () => {
  it('has the members that the format requires', () => {
    const unanswered = { seq: 2, ...record({ status: null, note: 'timeout', responseBody: null, origin: null }) };
    const har = JSON.parse(JSON.stringify(asHar([entry, unanswered], '1.2.3')));
    assert.equal(har.log.version, '1.2');
    assert.deepEqual(har.log.creator, { name: 'credicorp', version: '1.2.3' });
    const [first, second] = har.log.entries;
    assert.equal(first.startedDateTime, '2026-06-29T10:15:00.000Z');
    assert.equal(first.time, 12.5);
    assert.deepEqual(first.request.queryString, [
      { name: 'a', value: '1' },
      { name: 'b', value: ' ' },
    ]);
    assert.deepEqual(first.request.postData, { mimeType: 'application/json', text: entry.requestBody });
    assert.deepEqual(first.response.content, { size: 14, mimeType: 'application/json', text: '{"id":"app_1"}' });
    assert.equal(second.response.status, 0);
    assert.equal(second.response.statusText, 'timeout');
    assert.equal(second.request.postData, undefined);
    for (const one of [first, second]) {
      for (const name of ['startedDateTime', 'time', 'request', 'response', 'cache', 'timings']) assert.ok(name in one);
      for (const name of ['cookies', 'headers', 'httpVersion', 'headersSize', 'bodySize'])
        assert.ok(name in one.request && name in one.response);
    }
  });
});
