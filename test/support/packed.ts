/** The program as it is packed: the tarball's files and nothing else of the clone, with the installed dependencies within reach. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './spawn.ts';

/**
 * Packs what was built, and unpacks it.
 * @param folder an empty one
 * @returns a folder for the path that holds `credicorp`
 */
export function unpacked(folder: string): string {
  // The build is there already: the test command makes it. Packing again would take it away under other tests.
  const env = { ...process.env, npm_config_ignore_scripts: 'true', npm_config_update_notifier: 'false' };
  const pack = ['pack', '--json', '--pack-destination', folder];
  const said = execFileSync('npm', pack, { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [{ filename }] = JSON.parse(said) as [{ filename: string }];
  execFileSync('tar', ['-xzf', filename], { cwd: folder });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const program = join(folder, 'package', 'bin', 'run.js');
  writeFileSync(join(bin, 'credicorp'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  chmodSync(join(bin, 'credicorp'), 0o755);
  return bin;
}
