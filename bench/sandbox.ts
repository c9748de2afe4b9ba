/**
 * What the sandbox costs, against a bare hono app that answers a constant, in the same run: token-checked reads, and creates with an
 * idempotency key. Then a thousand connections at once, and a hundred thousand applications with the memory they take.
 * Both sides run bundled, as the program is shipped. `npm run bench:sandbox [-- applications]`
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';

const many = Number(process.argv[2] ?? 100_000);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Side {
  child: ChildProcess;
  url: string;
}

// In the checkout, so that the bundle finds hono's adapter.
const folder = await mkdtemp(join(import.meta.dirname, '.sandbox-side-'));
process.once('exit', () => rmSync(folder, { recursive: true }));
const program = join(folder, 'side.mjs');
await build({
  entryPoints: [join(import.meta.dirname, 'sandbox-side.ts')],
  outfile: program,
  bundle: true,
  platform: 'node',
  format: 'esm',
});

async function start(side: 'bare' | 'ours' | 'still'): Promise<Side> {
  const child = fork(program, [side], { execArgv: ['--no-warnings'] });
  const [message] = await once(child, 'message');
  return { child, url: String(message.url) };
}

/** Resident, in MB of a million bytes: the stricter reading. */
async function memory({ child }: Side): Promise<number> {
  const answer = once(child, 'message');
  child.send('memory');
  const [{ rss }] = await answer;
  return Math.round(rss / 1_000_000);
}

/** Sends `count` requests over `width` connections, each waiting for its answer; resolves with requests a second. */
async function load(url: string, width: number, count: number, compose: (n: number) => string): Promise<number> {
  const port = Number(new URL(url).port);
  const sockets = Array.from({ length: width }, () => connect(port, '127.0.0.1').setNoDelay(true));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  let sent = 0;
  const began = performance.now();
  await Promise.all(sockets.map((socket) => talk(socket, () => (sent < count ? compose(sent++) : null))));
  for (const socket of sockets) socket.destroy();
  return count / ((performance.now() - began) / 1000);
}

/** One conversation: the next request goes out when the answer is whole. */
function talk(socket: Socket, next: () => string | null): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const ask = (): void => {
      const request = next();
      if (request === null) resolve();
      else socket.write(request);
    };
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
      if (text.length < head + 4 + length) return;
      if (!/^HTTP\/1\.1 20[01]/.test(text)) reject(new Error(text.slice(0, 300)));
      text = '';
      ask();
    });
    ask();
  });
}

async function tokenOf({ url }: Side): Promise<string> {
  const body = 'grant_type=client_credentials&client_id=cid_sbx_local&client_secret=csk_sbx_local';
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await fetch(`${url}/partner/v1/oauth/token`, { method: 'POST', headers, body });
  return ((await answer.json()) as { access_token: string }).access_token;
}

const BODY = JSON.stringify({
  amount_pence: 2_500_000,
  term_months: 12,
  business: { company_number: '16093826' },
  purpose: 'working_capital',
  redirect_uri: 'https://yourapp.example/return',
});
let key = 0;

function read(token: string, id: string): string {
  return `GET /partner/v1/applications/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nAccept: application/json\r\n\r\n`;
}

function create(token: string): string {
  key += 1;
  return (
    `POST /partner/v1/applications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nIdempotency-Key: 3f2b1c9e-8d5a-4c1b-9e7f-${String(key).padStart(12, '0')}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`
  );
}

/** Both sides in turn, five times, so that a neighbour on the machine does not decide; the middle ratio counts. */
async function compare(name: string, ours: () => Promise<number>, bare: () => Promise<number>): Promise<void> {
  const rounds: { mine: number; other: number }[] = [];
  for (let i = 0; i < 5; i++) rounds.push({ other: await bare(), mine: await ours() });
  rounds.sort((a, b) => a.mine / a.other - b.mine / b.other);
  const { mine = 0, other = 1 } = rounds[2] ?? {};
  print(`${name.padEnd(28)} ${mine.toFixed(0)}/s of ${other.toFixed(0)}/s   ${(mine / other).toFixed(2)} x`);
}

const bare = await start('bare');
const ours = await start('still');
const token = await tokenOf(ours);
const headers = { authorization: `Bearer ${token}` };
const made = await fetch(`${ours.url}/partner/v1/applications`, { method: 'POST', headers, body: BODY });
const { id } = (await made.json()) as { id: string };
const reads = (side: Side): Promise<number> => load(side.url, 20, 10_000, () => read(token, id));
const creates = (side: Side): Promise<number> => load(side.url, 20, 10_000, () => create(token));
await reads(bare);
await reads(ours);
await compare(
  'token-checked reads',
  () => reads(ours),
  () => reads(bare),
);
await compare(
  'creates with idempotency',
  () => creates(ours),
  () => creates(bare),
);
print(
  `a thousand connections       ${(await load(ours.url, 1000, 20_000, () => read(token, id))).toFixed(0)}/s, no error`,
);
bare.child.kill('SIGINT');
ours.child.kill('SIGINT');

const full = await start('ours');
const fullToken = await tokenOf(full);
const rate = await load(full.url, 20, many, () => create(fullToken));
print(`${many} applications lived     ${rate.toFixed(0)}/s, no error`);
print(`memory with their decisions  ${await memory(full)} MB resident (the mark is 450 MB)`);
full.child.kill('SIGINT');
