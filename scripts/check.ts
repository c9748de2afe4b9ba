/** Runs the checks that need no build side by side, and prints what each has to say when it ends. Exit status 1 if one of them complains. */
import { execFile } from 'node:child_process';

const CHECKS = ['types', 'lint', 'format', 'unused'];

for (const check of CHECKS) {
  const options = { shell: process.platform === 'win32' };
  execFile('npm', ['run', '--silent', `check:${check}`], options, (error, stdout, stderr) => {
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    if (error === null) return;
    process.stderr.write(`npm run check:${check} failed\n`);
    process.exitCode = 1;
  });
}
