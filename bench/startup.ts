/**
 * How long the program takes to start, as ratios against a bare Node in the same run. Machines are noisy: runs are interleaved and
 * the median is shown. `npm run bench:startup` builds first and starts its own sandbox.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const program = join(root, 'bin', 'run.js');
const home = mkdtempSync(join(tmpdir(), 'credicorp-bench-'));
const env = { PATH: process.env['PATH'], HOME: home };
const rounds = Number(process.argv[2] ?? 15);

const sandbox = spawn(process.execPath, [program, 'sandbox', 'start', '--port', '0', '--seed', 'bench'], {
  env,
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  await new Promise((resolve) => sandbox.stdout.once('data', resolve));
  const id = credicorp('apps', 'create', '--company', '16093826', '--field', 'id').trim();
  const rows: [name: string, args: string[]][] = [
    ['node -e 0', ['-e', '0']],
    ['credicorp --version', [program, '--version']],
    ['credicorp __complete', [program, '__complete', 'bash', 'apps', 'get', '']],
    ['credicorp whoami', [program, 'whoami']],
    ['credicorp apps get', [program, 'apps', 'get', id]],
  ];
  const taken = rows.map((): number[] => []);
  for (let round = 0; round < rounds + 2; round += 1) {
    rows.forEach(([, args], index) => {
      const began = process.hrtime.bigint();
      const { status } = spawnSync(process.execPath, args, { env, stdio: 'ignore' });
      if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`);
      if (round > 1) taken[index]?.push(Number(process.hrtime.bigint() - began) / 1e6);
    });
  }
  const medians = taken.map((times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0);
  rows.forEach(([name], index) => {
    const ratio = (medians[index] ?? 0) / (medians[0] ?? 1);
    process.stdout.write(
      `${name.padEnd(22)} ${(medians[index] ?? 0).toFixed(1).padStart(7)} ms  ${ratio.toFixed(2)} x bare node\n`,
    );
  });
} finally {
  sandbox.kill('SIGTERM');
  rmSync(home, { recursive: true, force: true });
}

function credicorp(...args: string[]): string {
  return spawnSync(process.execPath, [program, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).stdout;
}
