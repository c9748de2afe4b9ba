/** Half-open connections: whoever connects and says nothing, or half a head, does not keep others out. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { openServer } from '../../src/lib/http-server/local-server.ts';
import { openProxy } from '../../src/lib/proxy/proxy.ts';
import { serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';

const chosenBy = { param: '--port', next: '' };
const closing: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const close of closing) await close();
});

/** Connects that many times, half of them with half a head. @returns milliseconds until all were dropped */
async function dropped(port: number, count: number): Promise<number> {
  const sockets: Socket[] = [];
  for (let at = 0; at < count; at += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.resume();
    if (at % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half');
    sockets.push(socket);
  }
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const began = performance.now();
  const limit = setTimeout(() => sockets.forEach((socket) => socket.destroy()), 15_000);
  await Promise.all(sockets.map((socket) => (socket.closed ? null : once(socket, 'close'))));
  clearTimeout(limit);
  return performance.now() - began;
}

describe('512 half-open connections are dropped within seconds', { concurrency: true }, () => {
  it('by a server without settings of its own', async () => {
    const local = await openServer({ port: 0, chosenBy });
    closing.push(() => local.close(0));
    local.server.on('request', (_, response) => response.end('here'));
    assert.ok((await dropped(local.port, 512)) < 10_000);
    assert.equal(await (await fetch(local.origin)).text(), 'here');
  });

  it('by the proxy', async () => {
    const proxy = await openProxy({
      ...{ port: 0, target: 'http://127.0.0.1:1', environment: 'local', auth: null, record: () => undefined },
      ...{ now: Date.now, ticks: () => performance.now(), timeoutMs: 1000 },
    });
    closing.push(() => proxy.close(0));
    assert.ok((await dropped(Number(new URL(proxy.url).port), 512)) < 10_000);
    assert.equal((await fetch(proxy.url)).status, 502);
  });

  it('by the sandbox', async () => {
    const served = await serveSandbox({ host: '127.0.0.1', port: 0, version: '0', seed: 'half', now: Date.now });
    closing.push(() => served.close());
    assert.ok((await dropped(Number(new URL(served.url).port), 512)) < 10_000);
    assert.equal((await fetch(`${served.url}/_sandbox/health`)).status, 200);
  });
});

it('a server without settings of its own takes 512 connections and no more', async () => {
  const local = await openServer({ port: 0, chosenBy });
  closing.push(() => local.close(0));
  assert.equal(local.server.maxConnections, 512);
  assert.ok(local.server.headersTimeout <= 5000);
});
