/**
 * A server that does to a client what servers should not do. It speaks raw TCP, so that it can lie about everything HTTP. The
 * path of a request names the rudeness.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as breathe } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

export interface RudeRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** 1 for the first connection to the server. */
  connection: number;
  /** 1 for the first request on its connection. */
  turn: number;
}

type Rudeness = (socket: Socket, request: RudeRequest) => void | Promise<void>;

export interface RudeServer {
  origin: string;
  /** Every request that arrived whole, in order. */
  requests: RudeRequest[];
  /** Adds or replaces the behaviour of a path. */
  on(path: string, rudeness: Rudeness): void;
  close(): Promise<void>;
}

/** A whole HTTP/1.1 answer. */
export function answer(status: number, body: string | Buffer = '', headers: Record<string, string> = {}): Buffer {
  const bytes = Buffer.from(body);
  const all = { 'content-type': 'application/json', 'content-length': String(bytes.length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Rude\r\n${lines.join('')}\r\n`), bytes]);
}

export async function startRudeServer(): Promise<RudeServer> {
  const rudenesses = new Map<string, Rudeness>(Object.entries(RUDENESSES));
  const requests: RudeRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    void serve(socket, connections, requests, rudenesses);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    requests,
    on: (path, rudeness) => void rudenesses.set(path, rudeness),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(socket: Socket, connection: number, requests: RudeRequest[], known: Map<string, Rudeness>) {
  let bytes = Buffer.alloc(0);
  let turn = 0;
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, Buffer.from(chunk)]);
    for (let parsed = parse(bytes); parsed !== null; parsed = parse(bytes)) {
      bytes = bytes.subarray(parsed.used);
      turn += 1;
      const request = { ...parsed.request, connection, turn };
      requests.push(request);
      const rudeness = known.get(request.path.split('?')[0] ?? '') ?? known.get('/ok');
      void rudeness?.(socket, request);
    }
  });
}

function parse(bytes: Buffer): { request: Omit<RudeRequest, 'connection' | 'turn'>; used: number } | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const [method = '', path = ''] = first.split(' ');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const used = end + 4 + Number(headers['content-length'] ?? 0);
  if (bytes.length < used) return null;
  return { request: { method, path, headers, body: bytes.subarray(end + 4, used).toString('utf8') }, used };
}

const DRIP_MS = 5;

/** Writes piece after piece, slowly, for as long as somebody reads. */
async function drip(socket: Socket, piece: string | Buffer): Promise<void> {
  while (!socket.destroyed && socket.writable) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, DRIP_MS));
  }
}

/** Writes piece after piece as fast as it is read. */
async function flood(socket: Socket, piece: string | Buffer): Promise<void> {
  while (!socket.destroyed && socket.writable) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    await breathe();
  }
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

const RUDENESSES: Record<string, Rudeness> = {
  '/ok': (socket) => void socket.write(answer(200, '{"ok":true}')),
  '/silent': () => undefined,
  '/slow-headers': (socket) => {
    socket.write(HEAD);
    return drip(socket, 'x-drip: 1\r\n');
  },
  '/slow-body': (socket) => {
    socket.write(`${HEAD}content-length: 100000\r\n\r\n`);
    return drip(socket, ' ');
  },
  '/half': (socket) => void socket.end(answer(200, '{"ok":true}', { 'content-length': '200' })),
  '/half-error': (socket) =>
    void socket.end(
      answer(422, '{"error":{"type":"invalid_request_error","request_id":"req_Half1234","code":"term_ou', {
        'content-length': '2000',
      }),
    ),
  '/reset': (socket) => {
    socket.write(answer(200, '{"ok":tr', { 'content-length': '200' }), () => socket.resetAndDestroy());
  },
  '/reset-at-once': (socket) => void socket.resetAndDestroy(),
  '/hang-up': (socket) => void socket.end(),
  '/too-long': (socket) => void socket.write(answer(200, '{"ok":true}{"ok":false}', { 'content-length': '11' })),
  '/two-lengths': (socket) => void socket.write(answer(200, '{}', { 'Content-Length ': '7', 'content-length': '2' })),
  '/endless': (socket) => {
    socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
    return flood(socket, `10000\r\n${'x'.repeat(0x10000)}\r\n`);
  },
  '/endless-headers': (socket) => {
    socket.write(HEAD);
    return flood(socket, `x-flood: ${'x'.repeat(8000)}\r\n`);
  },
  '/bomb': (socket) => void socket.write(answer(200, bomb(), { 'content-encoding': 'gzip' })),
  '/bad-gzip': (socket) => void socket.write(answer(200, 'not gzip at all', { 'content-encoding': 'gzip' })),
  '/odd-encoding': (socket) => void socket.write(answer(200, '{}', { 'content-encoding': 'sdch, gzip' })),
  '/gzip': (socket) => void socket.write(answer(200, gzipSync('{"ok":"£"}'), { 'content-encoding': 'gzip' })),
  '/latin1': (socket) => void socket.write(answer(200, Buffer.from('{"name":"\xa3"}', 'latin1'))),
  '/redirect': (socket) => void socket.write(answer(302, '', { location: '/redirect' })),
  '/redirect-away': (socket) => void socket.write(answer(307, '', { location: 'http://127.0.0.1:1/steal' })),
  '/continue': (socket) =>
    void socket.write(Buffer.concat([Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), answer(200, '{"ok":true}')])),
  '/hints': (socket) =>
    void socket.write(
      Buffer.concat([Buffer.from('HTTP/1.1 103 Early Hints\r\nx-a: b\r\n\r\n'), answer(200, '{"ok":true}')]),
    ),
  '/upgrade': (socket) =>
    void socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  '/not-http': (socket) => void socket.end('SSH-2.0-OpenSSH_9.2p1\r\n'),
  '/no-length': (socket) => void socket.end(`${HEAD}\r\n{"ok":true}`),
  '/early': (socket) => void socket.end(answer(413, '{"error":{"code":"payload_too_large"}}')),
  /** Good on a fresh connection, closed without a word when the connection is used again. */
  '/reuse': (socket, request) =>
    void (request.turn === 1 ? socket.write(answer(200, '{"ok":true}')) : socket.destroy()),
  /** Says keep-alive, answers, and closes at once: the next request may meet the closing. */
  '/keep-alive-lie': (socket) =>
    void socket.write(answer(200, '{"ok":true}', { 'keep-alive': 'timeout=600' }), () => socket.end()),
};

let bombBytes: Buffer | null = null;

/** 8 MiB of spaces in some 8 kB. */
function bomb(): Buffer {
  bombBytes ??= gzipSync(Buffer.alloc(8 * 1024 * 1024, ' '));
  return bombBytes;
}
