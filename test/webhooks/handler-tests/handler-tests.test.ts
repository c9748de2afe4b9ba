import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { after, test } from 'node:test';
import { Failure } from '../../../src/lib/failure.ts';
import { junitReport } from '../../../src/lib/webhooks/handler-tests/handler-tests.ts';
import {
  type CheckResult,
  CHECKS,
  runHandlerTests,
  type HandlerTestOptions,
  type HandlerTestScore,
} from '../../../src/lib/webhooks/handler-tests/handler-tests.ts';
import { freePort, openApp } from '../support/stage.ts';
import { fragile } from './handlers/fragile.ts';
import { lastV1 } from './handlers/last-v1.ts';
import { noClock } from './handlers/no-clock.ts';
import { parsedBody } from './handlers/parsed-body.ts';
import { right } from './handlers/right.ts';

const SECRET = 'whsec_battery';

async function serve(handler: RequestListener): Promise<URL> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return new URL(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/hook`);
}

interface Played {
  checks: CheckResult[];
  score: HandlerTestScore;
  failed: string[];
  named: (name: string) => CheckResult;
}

async function play(target: URL, more: Partial<HandlerTestOptions> = {}): Promise<Played> {
  const checks: CheckResult[] = [];
  let score: HandlerTestScore | undefined;
  for await (const event of runHandlerTests({
    target,
    secret: SECRET,
    now: Date.now,
    ticks: () => performance.now(),
    token: () => randomBytes(16).toString('hex'),
    signal: new AbortController().signal,
    ...more,
  })) {
    if (event.type === 'check') checks.push(event);
    else score = event;
  }
  assert.ok(score);
  const named = (name: string): CheckResult => {
    const found = checks.find((check) => check.name === name);
    assert.ok(found, name);
    return found;
  };
  return {
    checks,
    score,
    failed: checks.filter((check) => check.verdict === 'failed').map((check) => check.name),
    named,
  };
}

test('there are at least thirty checks, each with a name of its own and advice', () => {
  assert.ok(CHECKS.length >= 30);
  assert.equal(new Set(CHECKS.map((check) => check.name)).size, CHECKS.length);
  assert.ok(CHECKS.every((check) => check.why !== '' && check.next !== ''));
});

test('a right handler passes every check', async () => {
  const { score, failed, checks } = await play(await serve(right(SECRET)));
  assert.deepEqual(failed, []);
  assert.deepEqual([score.passed, score.skipped, score.score], [CHECKS.length + 1, 0, 100]);
  assert.ok(checks.every((check, index) => check.number === index + 1 && check.of === checks.length));
  assert.ok(score.slowest_ms < 5000);
});

test('a handler that keeps only the last v1 fails where ours is not the last, and where a map hides a second t', async () => {
  const { failed, named, score } = await play(await serve(lastV1(SECRET)));
  assert.deepEqual(failed, ['rotation, ours first', 'three entries, ours in the middle', 'two t']);
  assert.equal(named('rotation, ours last').verdict, 'passed');
  assert.match(named('rotation, ours first').explanation ?? '', /answered 400.*24 hours after a rotation/);
  assert.match(named('rotation, ours first').next ?? '', /contains only the last/);
  assert.ok(score.score < 100);
});

test('a handler that checks parsed JSON fails on other spellings, and lets some in', async () => {
  const { failed } = await play(await serve(parsedBody(SECRET)));
  assert.deepEqual(failed, ['indented body', 'unusual JSON formatting', 'body serialised again', 'line break added']);
});

test('a handler without a clock lets old and future deliveries in', async () => {
  const { failed } = await play(await serve(noClock(SECRET)));
  assert.deepEqual(failed, ['ten minutes old', 'a day old', 'ten minutes in the future']);
});

test('an eager handler fails on the unknown, the repeated and the strange', async () => {
  const { failed, named } = await play(await serve(fragile(SECRET)));
  for (const name of [
    'unknown type',
    'body that is not JSON',
    'a malformed v1 besides the valid one',
    'the same event twice',
    'the same event five times at once',
    'no header',
    'v1 cut short by one',
  ]) {
    assert.ok(failed.includes(name), name);
  }
  assert.match(named('the same event twice').explanation ?? '', /answered 500/);
  assert.equal(named('wrong secret').verdict, 'passed');
});

test('a handler that accepts nothing gets no credit for refusing forgeries', async () => {
  const { score, named } = await play(await serve(right('whsec_another')));
  assert.equal(named('wrong secret').verdict, 'skipped');
  assert.match(named('wrong secret').explanation ?? '', /proves nothing/);
  assert.ok(score.score < 20, String(score.score));
});

test('a handler that accepts everything fails every forgery', async () => {
  const app = await openApp();
  const { checks } = await play(app.url);
  const refused = checks.filter((check) => check.wants === 'refused');
  assert.ok(refused.length >= 20 && refused.every((check) => check.verdict === 'failed'));
});

test('a handler that hangs is not retried for ever, a slow one is reported', async () => {
  const hanging = await openApp(() => {});
  const { score, checks } = await play(hanging.url, { timeoutMs: 60 });
  assert.ok(hanging.seen.length <= 4);
  assert.ok(score.skipped > 50);
  assert.match(checks[0]?.explanation ?? '', /no answer in 60 ms/);
  const handler = right(SECRET);
  const slow = await serve((request, response) => {
    const isFirst = Number(request.headers['content-length']) > 90_000;
    setTimeout(() => handler(request, response), isFirst ? 700 : 0);
  });
  const { failed, named } = await play(slow, { timeoutMs: 1200 });
  assert.deepEqual(failed, ['speed of acknowledgement']);
  assert.match(named('speed of acknowledgement').explanation ?? '', /7\d\d ms; after 1200 ms the sender/);
});

test('nothing at the target is a failure, not a score', async () => {
  const target = new URL(`http://127.0.0.1:${await freePort()}/`);
  await assert.rejects(play(target), (error) => error instanceof Failure && error.kind === 'unavailable');
});

test('stopping ends the run', async () => {
  const stop = new AbortController();
  const app = await openApp((_seen, response, { seen }) => {
    if (seen.length === 5) stop.abort();
    response.end();
  });
  await assert.rejects(
    play(app.url, { signal: stop.signal }),
    (error) => error instanceof Failure && error.kind === 'interrupted',
  );
});

test('JUnit holds each check once, escaped, with failures and skips', async () => {
  const { checks } = await play(await serve(noClock(SECRET)));
  const [first] = checks;
  assert.ok(first);
  const odd: CheckResult = { ...first, name: 'a<b>&"c"\u0000', verdict: 'skipped', explanation: 'x' };
  const text = junitReport('http://127.0.0.1/?a&b', [...checks, odd]);
  const failures = checks.filter((check) => check.verdict === 'failed').length;
  assert.ok(
    text.includes(
      `<testsuite name="http://127.0.0.1/?a&amp;b" tests="${checks.length + 1}" failures="${failures}" skipped="1"`,
    ),
  );
  assert.equal(text.match(/<testcase /g)?.length, checks.length + 1);
  assert.equal(text.match(/<failure /g)?.length, failures);
  assert.ok(text.includes('name="a&lt;b&gt;&amp;&quot;c&quot;"'));
});
