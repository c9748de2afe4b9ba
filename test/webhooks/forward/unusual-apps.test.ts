/** Apps whose answers are not those of a plain HTTP/1.1 server: an unsolicited 100 Continue, HTTP/2 only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSecureServer, createServer as createHttp2Server } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createTargetClient } from '../../../src/lib/webhooks/forward/target-client.ts';
import { freshFolder } from '../../support/folder.ts';

async function portOf(server: Pick<Server, 'listen' | 'address' | 'once' | 'close'>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server as Server, 'listening');
  after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

function post(origin: string, count = 1) {
  const client = createTargetClient({ origin, concurrency: 1, timeoutMs: 5000, ticks: () => performance.now() });
  after(() => client.close());
  const message = { headers: ['content-type', 'application/json'], body: Buffer.from('{}') };
  return Promise.all(
    Array.from({ length: count }, () => client.post(`${origin}/hook`, message, new AbortController().signal)),
  );
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
for (const [name, pieces] of [
  ['in one packet with the answer', [`HTTP/1.1 100 Continue\r\n\r\n${OK}`]],
  ['before the answer', ['HTTP/1.1 100 Continue\r\n\r\n', OK]],
  ['in pieces, with a header', ['HTTP/1.1 10', '0 Continue\r\nserver: x\r', '\n\r\nHTTP/1', OK.slice(6)]],
  ['twice', ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 \r\n\r\n', OK]],
] as const) {
  test(`an unsolicited 100 Continue ${name} is skipped, and the connection is used again`, async () => {
    let connections = 0;
    const server = createServer((socket: Socket) => {
      connections += 1;
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        if (!chunk.toString().endsWith('{}')) return;
        let at = 0;
        const next = (): void => {
          const piece = pieces[at];
          at += 1;
          if (piece !== undefined) socket.write(piece, () => setImmediate(next));
        };
        next();
      });
    });
    const outcomes = await post(`http://127.0.0.1:${await portOf(server)}`, 3);
    for (const outcome of outcomes)
      assert.deepEqual([outcome.kind, 'answer' in outcome && outcome.answer], ['answered', 'ok']);
    assert.equal(connections, 1);
  });
}

test('an app that speaks HTTP/2 only is named as such, with and without TLS', async () => {
  const plain = createHttp2Server();
  plain.on('sessionError', () => {});
  const [broken] = await post(`http://127.0.0.1:${await portOf(plain)}`);
  assert.ok(broken?.kind === 'broken');
  assert.match(broken.hint ?? '', /HTTP\/2 only.*allowHTTP1/);

  const folder = freshFolder();
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const kind = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const secure = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) });
  secure.on('tlsClientError', () => {});
  const [refused] = await post(`https://localhost:${await portOf(secure)}`);
  assert.ok(refused?.kind === 'unconnected');
  assert.match(refused.hint ?? '', /HTTP\/2 only/);
});
