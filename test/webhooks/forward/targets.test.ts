import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Failure } from '../../../src/lib/failure.ts';
import { isLocalHost, parseRoute, parseTarget } from '../../../src/lib/webhooks/forward/targets.ts';
import { routing } from '../../../src/lib/webhooks/listen/ingest.ts';

for (const [text, href] of [
  ['localhost:3000/hook', 'http://localhost:3000/hook'],
  ['3000/hook', 'http://localhost:3000/hook'],
  ['3000', 'http://localhost:3000/'],
  ['127.0.0.1:8080', 'http://127.0.0.1:8080/'],
  ['[::1]:3000/a?b=c', 'http://[::1]:3000/a?b=c'],
  ['https://localhost:3443/hook', 'https://localhost:3443/hook'],
  ['HTTP://LOCALHOST/x', 'http://localhost/x'],
  ['app.localhost:3000', 'http://app.localhost:3000/'],
  [' localhost:3000 ', 'http://localhost:3000/'],
] as const) {
  test(`${text} is read as ${href}`, () => assert.equal(parseTarget(text).href, href));
}

for (const [text, says] of [
  ['', 'address is empty'],
  ['local host:3000', 'spaces'],
  ['localhost:99999', '99999 is not a port'],
  ['99999/hook', '99999 is not a port'],
  ['localhost:abc/hook', 'not a port'],
  ['ftp://localhost/x', 'ftp is not supported'],
  ['http://', 'not a valid address'],
  ['http://u:p@localhost:3000/', 'user name or password'],
  ['localhost:3000/#x', 'after #'],
  ['localhost:0', 'port 0'],
  ['example.com/hook', 'not this machine'],
  ['127.0.0.1.evil.example', 'not this machine'],
  ['localhost.evil.example:3000', 'not this machine'],
  ['http://localhost@evil.example/', 'user name or password'],
  ['http://0.0.0.0:3000', 'not this machine'],
  ['10.0.0.1:80', 'not this machine'],
  ['unix:/run/app.sock', 'Unix sockets are not supported'],
  ['http+unix://%2Frun%2Fapp.sock/hook', 'Unix sockets are not supported'],
  ['/run/app.sock', 'Unix sockets are not supported'],
] as const) {
  test(`"${text}" is refused: ${says}`, () => {
    assert.throws(
      () => parseTarget(text),
      (error) => error instanceof Failure && error.kind === 'usage' && error.message.includes(says),
    );
  });
}

test('a host that is not this machine must be allowed, and is then accepted', () => {
  assert.throws(
    () => parseTarget('hooks.example.com'),
    (error) =>
      error instanceof Failure && error.facts.code === 'remote_target' && /--allow-remote/.test(error.facts.next ?? ''),
  );
  assert.equal(parseTarget('https://hooks.example.com/x', { allowRemote: true }).host, 'hooks.example.com');
});

test('a password in an address is not repeated', () => {
  for (const text of ['http://user:hunter2@localhost/', 'user:hunter2@localhost:3000']) {
    assert.throws(
      () => parseTarget(text),
      (error) => error instanceof Failure && !error.message.includes('hunter2'),
    );
  }
});

test('other spellings of loopback addresses are compared parsed', () => {
  for (const text of ['0x7f.1:3000', '2130706433:80', 'http://127.1/', 'http://[0:0:0:0:0:0:0:1]/']) {
    assert.ok(isLocalHost(parseTarget(text).hostname), text);
  }
});

test('any text gives a URL on this machine or a usage failure', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.domain()), (text) => {
      try {
        assert.ok(isLocalHost(parseTarget(text).hostname));
      } catch (error) {
        assert.ok(error instanceof Failure && error.kind === 'usage');
      }
    }),
  );
});

test('routes send families their own way, the rest to the default', () => {
  const ways = routing(parseTarget('3000/all'), [
    parseRoute('payment.*=localhost:4000/pay'),
    parseRoute('payment.failed=4000/failed'),
    parseRoute('*=5000/copy'),
  ]);
  const [all, pay, failed, copy] = ['3000/all', '4000/pay', '4000/failed', '5000/copy'].map(
    (text) => parseTarget(text).href,
  );
  assert.deepEqual(ways.targets, [pay, failed, copy, all]);
  assert.deepEqual(ways.route('payment.failed'), [pay, failed, copy]);
  assert.deepEqual(ways.route('account.updated'), [copy]);
  const plain = routing(parseTarget('3000/all'), [parseRoute('payment.*=localhost:4000/pay')]);
  assert.deepEqual(plain.route('paymentx.settled'), [all]);
  assert.deepEqual(plain.route(null), [all]);
  assert.deepEqual(routing(null, []).route('payment.settled'), []);
});

test('a route without a type, or with a bad target, is a usage failure', () => {
  for (const text of ['localhost:3000', '=3000', 'payment.*=', 'pay ment=3000', 'payment.*=example.com']) {
    assert.throws(
      () => parseRoute(text),
      (error) => error instanceof Failure && error.kind === 'usage' && /--route/.test(error.message),
      text,
    );
  }
});
