/** Puts npm-shrinkwrap.json beside the lock file while the package is packed, and takes it away again (`--remove`): in a checkout it would stand before the lock file. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lock, shrinkwrapOf } from './third-party.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'npm-shrinkwrap.json');

if (process.argv.includes('--remove')) await rm(target, { force: true });
else {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock;
  await writeFile(target, `${JSON.stringify(shrinkwrapOf(lock), undefined, 2)}\n`);
}
