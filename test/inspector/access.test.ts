/** Access to the page: Host and Origin headers, the token, and the security headers of every response. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { Failure } from '../../src/lib/failure.ts';
import { openInspector } from '../../src/lib/inspector/inspector-server.ts';
import { ask, bearer, folder, received, startInspector, TOKEN } from './support.ts';

const inspector = await startInspector();
const { origin } = inspector;
const { port } = new URL(origin);
inspector.onEvent(received(1));
const get = (path: string, headers: Record<string, string | string[]> = {}) => ask(origin, path, { headers });

test('the address: loopback, any free port, the token in the fragment', () => {
  const url = new URL(inspector.url);
  assert.deepEqual([url.hostname, url.pathname, url.search, url.hash], ['127.0.0.1', '/', '', `#${TOKEN}`]);
});

test('Host: only this machine at this port, by any of its names, also for the page without data', async () => {
  for (const host of [
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    `LOCALHOST:${port}`,
    `[::1]:${port}`,
    `localhost.:${port}`,
  ]) {
    assert.equal((await get('/', { host })).status, 200, host);
    assert.equal((await get('/deliveries/1', { host, ...bearer })).status, 200, host);
  }
  for (const host of [
    '127.0.0.1',
    '127.0.0.1:1',
    `evil.example:${port}`,
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `evil.example@127.0.0.1:${port}`,
    `127.0.0.1:${port}@evil.example`,
    `127.0.0.1:${port}/`,
    `127.0.0.1:${port}#`,
    `0.0.0.0:${port}`,
    `169.254.169.254:${port}`,
    'x y',
  ]) {
    for (const path of ['/', '/page.js', '/deliveries/1', '/stream']) {
      assert.equal((await get(path, { host, ...bearer })).status, 421, `${host} ${path}`);
    }
  }
  const twice = await raw(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
  );
  assert.match(twice, /^HTTP\/1\.1 4/);
  assert.match(await raw('GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 421/);
  assert.match(
    await raw(`GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`),
    / 400 /,
  );
});

test('Origin and Sec-Fetch-Site: only the page itself, and a navigation to it', async () => {
  assert.equal((await get('/deliveries/1', { ...bearer, origin })).status, 200);
  assert.equal((await get('/deliveries/1', { ...bearer, 'sec-fetch-site': 'same-origin' })).status, 200);
  for (const other of [
    'http://evil.example',
    'null',
    '',
    `https://127.0.0.1:${port}`,
    `http://localhost:${port}`,
    'http://127.0.0.1:1',
    `http://127.0.0.1:${port}.evil.example`,
  ]) {
    assert.equal((await get('/deliveries/1', { ...bearer, origin: other })).status, 403, other);
  }
  for (const site of ['cross-site', 'same-site', 'whatever']) {
    assert.equal((await get('/deliveries/1', { ...bearer, 'sec-fetch-site': site })).status, 403, site);
    assert.equal((await get('/page.js', { 'sec-fetch-site': site })).status, 403, site);
    const visit = { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    assert.equal((await get('/', visit)).status, 200, 'a link in a terminal within a browser');
    assert.equal((await get('/', { ...visit, 'sec-fetch-dest': 'iframe' })).status, 403);
    assert.equal((await get('/deliveries/1', { ...visit, ...bearer })).status, 403);
  }
});

test('data needs the complete token in the Authorization header; the page alone shows nothing', async () => {
  const wrong = ['', 'Bearer', 'Bearer x', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`, TOKEN];
  for (const authorization of wrong) {
    for (const path of ['/deliveries/1', '/deliveries/r1', '/stream']) {
      const answer = await get(path, authorization === '' ? {} : { authorization });
      assert.equal(answer.status, 401, `${authorization} ${path}`);
      assert.doesNotMatch(answer.text, /evt_1/);
    }
    const post = await ask(origin, '/deliveries/1/replays/0', { method: 'POST', headers: { authorization } });
    assert.equal(post.status, 401);
  }
  assert.equal((await get(`/deliveries/1?token=${TOKEN}`)).status, 401);
  assert.equal((await get('/deliveries/1', { cookie: `token=${TOKEN}` })).status, 401);
  assert.doesNotMatch((await get('/')).text, /evt_|whd_/);
});

test('an unknown path is 404, a wrong method 405; a replay is POST only', async () => {
  for (const path of [
    '/favicon.ico',
    '/../package.json',
    '/%2e%2e/package.json',
    '/deliveries/',
    '/deliveries/x',
    '/style.css/',
  ]) {
    assert.equal((await get(path, bearer)).status, 404, path);
  }
  assert.equal((await get('/deliveries/99', bearer)).status, 404);
  assert.equal((await get('/deliveries/1/replays/0', bearer)).status, 405);
  for (const [method, path] of [
    ['POST', '/'],
    ['DELETE', '/deliveries/1'],
    ['POST', '/stream'],
    ['OPTIONS', '/deliveries/1/replays/0'],
  ] as const) {
    const answer = await ask(origin, path, { method, headers: bearer });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
});

test('every response has the security headers', async () => {
  for (const [path, type] of [
    ['/', 'text/html; charset=utf-8'],
    ['/style.css', 'text/css; charset=utf-8'],
    ['/page.js', 'text/javascript; charset=utf-8'],
    ['/icon.svg', 'image/svg+xml'],
    ['/deliveries/1', 'application/json; charset=utf-8'],
    ['/nothing', 'application/json; charset=utf-8'],
  ] as const) {
    const { headers } = await get(path, bearer);
    assert.equal(headers['content-type'], type, path);
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/,
    );
    assert.doesNotMatch(String(headers['content-security-policy']), /unsafe|http|data:|\*/);
    assert.deepEqual(
      ['x-content-type-options', 'referrer-policy', 'cache-control', 'x-frame-options', 'set-cookie'].map(
        (name) => headers[name],
      ),
      ['nosniff', 'no-referrer', 'no-store', 'DENY', undefined],
    );
  }
});

test('a port in use is reported before anything else happens', async () => {
  const options = { token: TOKEN, folder, environment: null, tolerance: 300, known: () => [], now: Date.now };
  const rooms = { inbox: { recent: () => [], find: () => null }, replay: () => Promise.reject(new Error('no')) };
  await assert.rejects(openInspector({ ...options, ...rooms, port: Number(port) }), (error) => {
    assert.ok(error instanceof Failure);
    assert.deepEqual([error.kind, error.facts.code, error.facts.param], ['usage', 'port_in_use', '--inspect']);
    return true;
  });
});

/** The response to exactly these bytes. */
function raw(text: string): Promise<string> {
  const socket = connect(Number(port), '127.0.0.1');
  after(() => socket.destroy());
  socket.write(text);
  return new Promise((resolve, reject) => {
    let all = '';
    socket.on('data', (chunk) => (all += chunk.toString()));
    socket.on('close', () => resolve(all));
    socket.on('error', reject);
  });
}
