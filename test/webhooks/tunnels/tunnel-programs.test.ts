import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Failure } from '../../../src/lib/failure.ts';
import {
  parsePublicUrl,
  parseTunnel,
  publicTunnel,
  readCloudflared,
  readNgrok,
  readSsh,
} from '../../../src/lib/webhooks/tunnels/tunnel-programs.ts';
import { openProgram, type TunnelProgram } from '../../../src/lib/webhooks/tunnels/tunnel-programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'credicorp-tunnels-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const signal = new AbortController().signal;

/** A program of that name that runs this script. */
function install(name: string, script: string): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  const file = join(bin, name);
  writeFileSync(file, `#!${process.execPath}\n${script}\n`);
  chmodSync(file, 0o755);
  return bin;
}

const failsWith =
  (code: string, says: RegExp) =>
  (error: unknown): boolean =>
    error instanceof Failure && error.facts.code === code && says.test(`${error.message} ${error.facts.next}`);

describe('the --tunnel value', () => {
  for (const text of [
    '',
    'ssh',
    'ssh:',
    'ssh:-oProxyCommand=x',
    'ssh:a b',
    'ssh:u@-h',
    'ssh:h:port',
    'ssh:h;ls',
    'Ngrok',
    'wireguard',
  ]) {
    test(`"${text}" is no tunnel`, () => {
      assert.throws(() => parseTunnel(text, { env: {} }), failsWith('bad_tunnel', /cloudflared or ngrok/));
    });
  }
  for (const [text, via] of [
    ['cloudflared', 'cloudflared'],
    ['ngrok', 'ngrok'],
    ['ssh:host', 'ssh'],
    ['ssh:me@host.example:2222', 'ssh'],
    ['ssh:me@[::1]:2222', 'ssh'],
  ] as const) {
    test(`"${text}" is one`, () => assert.equal(parseTunnel(text, { env: {} }).via, via));
  }
  test('a public address must be https, or loopback, and bare', () => {
    for (const text of [
      'hooks',
      'http://hooks.example.com',
      'https://u:p@hooks.example.com',
      'https://h.example/?a',
      'ftp://x',
    ]) {
      assert.throws(() => parsePublicUrl(text), failsWith('bad_public_url', /--public-url/), text);
    }
    assert.equal(parsePublicUrl('https://hooks.example.com/in/').href, 'https://hooks.example.com/in/');
    assert.equal(parsePublicUrl('http://localhost:8080').port, '8080');
  });
  test('a public address is used as it is', async () => {
    const open = await publicTunnel(new URL('https://hooks.example.com/')).open(1, signal, null);
    assert.equal(open.url, 'https://hooks.example.com');
  });
});

describe('how programs print their address', () => {
  test('cloudflared, in a box', () => {
    const line = '2026-07-04T10:00:00Z INF |  https://some-words-here.trycloudflare.com                       |';
    assert.equal(readCloudflared(line), 'https://some-words-here.trycloudflare.com');
    assert.equal(
      readCloudflared('INF Thank you for trying Cloudflare Tunnel: https://developers.cloudflare.com/x'),
      null,
    );
  });
  test('ngrok, in JSON', () => {
    const line =
      '{"addr":"http://127.0.0.1:3000","lvl":"info","msg":"started tunnel","obj":"tunnels","url":"https://ab-12.ngrok-free.app"}';
    assert.equal(readNgrok(line), 'https://ab-12.ngrok-free.app');
    assert.equal(readNgrok('{"lvl":"info","msg":"update available","addr":"http://127.0.0.1:3000"}'), null);
  });
  test('ssh, when a port was allocated or a fixed one confirmed', () => {
    const about = { host: 'h.example', remotePort: 0, publicUrl: undefined };
    const allocated = 'Allocated port 40123 for remote forward to 127.0.0.1:3000';
    assert.equal(readSsh(allocated, about), 'http://h.example:40123');
    const confirmed = 'debug1: remote forward success for: listen 8080, connect 127.0.0.1:3000';
    assert.equal(readSsh(confirmed, about), null);
    assert.equal(readSsh(confirmed, { ...about, remotePort: 8080 }), 'http://h.example:8080');
    const publicUrl = new URL('https://hooks.example.com/');
    assert.equal(readSsh(allocated, { ...about, publicUrl }), 'https://hooks.example.com/');
  });
});

describe('a program', () => {
  test('that is installed gets the port, and its printed address is used', async () => {
    const PATH = install(
      'cloudflared',
      `console.error('INF |  https://' + process.argv.at(-1).split(':').at(-1) + '-words.trycloudflare.com  |'); setInterval(() => {}, 1000);`,
    );
    const open = await parseTunnel('cloudflared', { env: { PATH } }).open(3456, signal, null);
    assert.equal(open.url, 'https://3456-words.trycloudflare.com');
    await open.close();
    assert.match(await open.ended, /cloudflared ended \(SIGTERM\)/);
  });

  test('that is not installed is named, with where to get it', async () => {
    await assert.rejects(
      parseTunnel('ngrok', { env: { PATH: folder } }).open(1, signal, null),
      failsWith('tunnel_program_missing', /ngrok is not installed.*ngrok\.com\/download/),
    );
    await assert.rejects(
      parseTunnel('cloudflared', { env: { PATH: folder } }).open(1, signal, null),
      failsWith('tunnel_program_missing', /cloudflared is not installed.*cloudflare\.com/),
    );
  });

  const program = (script: string, more: Partial<TunnelProgram> = {}): TunnelProgram => ({
    via: 'ngrok',
    command: process.execPath,
    args: ['-e', script],
    env: {},
    readAddress: readNgrok,
    install: '',
    ...more,
  });

  test('that ends before it printed its address is quoted', async () => {
    await assert.rejects(
      openProgram(program(`console.error('authentication failed: no token'); process.exit(1)`), signal),
      failsWith('tunnel_refused', /ended \(1\): authentication failed: no token/),
    );
  });

  test('that prints nothing is waited for only so long', async () => {
    await assert.rejects(
      openProgram(program('setInterval(() => {}, 1000)', { openMs: 100 }), signal),
      failsWith('tunnel_silent', /no address within 0.1 s/),
    );
  });

  test('that ignores SIGTERM is killed', async () => {
    const stubborn = `process.on('SIGTERM', () => {}); console.log('{"url":"https://a.example"}'); setInterval(() => {}, 1000);`;
    const open = await openProgram(program(stubborn), signal);
    await open.close();
    assert.match(await open.ended, /SIGKILL/);
  });

  test('is ended when the listener is stopped meanwhile', async () => {
    const stop = new AbortController();
    const opening = openProgram(program('setInterval(() => {}, 1000)'), stop.signal);
    stop.abort();
    await assert.rejects(opening, (error) => error instanceof Failure && error.kind === 'interrupted');
  });
});
