/**
 * How long the program takes to start, as ratios against a bare Node in the same run. Machines are noisy: runs are interleaved and
 * the median is shown. `npm run bench:startup` builds first and starts its own sandbox. Where a keyring can be had, the same call is
 * made with its secret and token in one, in a D-Bus session of its own. The last row is a sandbox from nothing until its first answer
 * has been read; the mark is 300 ms where a bare Node takes 21.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyringMissing, startKeyring, startSession } from '../test/support/keyring.ts';

const root = join(import.meta.dirname, '..');
const program = join(root, 'bin', 'run.js');
const home = mkdtempSync(join(tmpdir(), 'credicorp-bench-'));
const env = { PATH: process.env['PATH'], HOME: home };
const rounds = Number(process.argv[2] ?? 15);

const SANDBOX = ['sandbox start, first answer'] as const;

const sandbox = spawn(process.execPath, [program, 'sandbox', 'start', '--port', '0', '--seed', 'bench'], {
  env,
  stdio: ['ignore', 'pipe', 'inherit'],
});
type Row = [name: string, args: string[], env?: Record<string, string | undefined>];
let keyring: { rows: Row[]; stop(): Promise<void> } | undefined;
try {
  const ready = await new Promise((resolve) => sandbox.stdout.once('data', resolve));
  const id = credicorp('apps', 'create', '--company', '16093826', '--field', 'id').trim();
  keyring = await withKeyring(/http:\S+/.exec(String(ready))?.[0] ?? '');
  const rows: Row[] = [
    ['node -e 0', ['-e', '0']],
    ['credicorp --version', [program, '--version']],
    ['credicorp __complete', [program, '__complete', 'bash', 'apps', 'get', '']],
    ['credicorp whoami', [program, 'whoami']],
    ['credicorp apps get', [program, 'apps', 'get', id]],
    ...keyring.rows,
  ];
  const taken = [...rows, SANDBOX].map((): number[] => []);
  for (let round = 0; round < rounds + 2; round += 1) {
    rows.forEach(([, args, own = env], index) => {
      const began = process.hrtime.bigint();
      const { status } = spawnSync(process.execPath, args, { env: own, stdio: 'ignore' });
      if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`);
      if (round > 1) taken[index]?.push(Number(process.hrtime.bigint() - began) / 1e6);
    });
    const answered = await firstAnswer();
    if (round > 1) taken.at(-1)?.push(answered);
  }
  const medians = taken.map((times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0);
  [...rows, SANDBOX].forEach(([name], index) => {
    const ratio = (medians[index] ?? 0) / (medians[0] ?? 1);
    process.stdout.write(
      `${name.padEnd(28)} ${(medians[index] ?? 0).toFixed(1).padStart(7)} ms  ${ratio.toFixed(2)} x bare node\n`,
    );
  });
} finally {
  await keyring?.stop();
  sandbox.kill('SIGTERM');
  rmSync(home, { recursive: true, force: true });
}

/** The same call twice: with a secret key out of the environment, and with secret and token out of a keyring. */
async function withKeyring(base: string): Promise<{ rows: Row[]; stop(): Promise<void> }> {
  const missing = keyringMissing();
  if (missing !== null) process.stderr.write(`${missing}\n`);
  if (missing !== null) return { rows: [], stop: async () => undefined };
  const session = await startSession();
  const daemon = await startKeyring(session, 'bench');
  const where = ['--env', 'sandbox', '--api-base', base, '--client-id', 'cid_sbx_launch', '--secret-stdin'];
  const login = { env: session.env, input: 'csk_sbx_launch\n', encoding: 'utf8' } as const;
  const { status, stderr } = spawnSync(process.execPath, [program, 'login', ...where], login);
  if (status !== 0) throw new Error(`login: ${stderr}`);
  // The list of its own project: one application of another is not to be seen.
  const list = [program, 'apps', 'list'];
  const given = { ...session.env, CREDICORP_CONFIG_DIR: `${session.home}/none`, CC_BASE: base };
  return {
    rows: [
      ['apps list, environment', list, { ...given, CC_SECRET_KEY: 'sk_test_launch' }],
      ['apps list, keychain', list, session.env],
    ],
    async stop() {
      await daemon.stop();
      await session.stop();
    },
  };
}

function credicorp(...args: string[]): string {
  return spawnSync(process.execPath, [program, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).stdout;
}

/** Milliseconds from the start of a sandbox to its first answer. A home of its own: one sandbox for each. */
async function firstAnswer(): Promise<number> {
  const own = { ...env, HOME: mkdtempSync(join(home, 'own-')) };
  const began = process.hrtime.bigint();
  const child = spawn(process.execPath, [program, 'sandbox', 'start', '--port', '0', '--json'], {
    env: own,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const line = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve));
  const { base_url: base } = JSON.parse(String(line)) as { base_url: string };
  const status = await new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer sk_test_local' };
    get(`${base}/partner/v1/applications`, { headers }, (answer) => resolve(answer.resume().statusCode)).once(
      'error',
      reject,
    );
  });
  const taken = Number(process.hrtime.bigint() - began) / 1e6;
  child.kill('SIGTERM');
  await ended;
  if (status !== 200) throw new Error(`the first answer was ${String(status)}`);
  return taken;
}
