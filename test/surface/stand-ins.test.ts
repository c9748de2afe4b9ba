/** A part of a library that is replaced in the bundle must exist: an upgrade that moves it fails the build. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { type StandIn, standIns } from '../../scripts/stand-ins.ts';
import { freshFolder } from '../support/folder.ts';

async function bundled(...all: StandIn[]): Promise<string> {
  const folder = freshFolder();
  writeFileSync(join(folder, 'entry.js'), "import { name } from './heavy.js'; console.log(name);");
  writeFileSync(join(folder, 'heavy.js'), "export const name = 'heavy';");
  const entryPoints = [join(folder, 'entry.js')];
  const plugins = [standIns(all)];
  const result = await build({ entryPoints, plugins, bundle: true, format: 'esm', write: false, logLevel: 'silent' });
  return result.outputFiles[0]?.text ?? '';
}

test('what it names is replaced', async () => {
  assert.match(await bundled([/heavy\.js$/, "export const name = 'light';"]), /light/);
});

test('the build fails for one that matches no file, and says which', async () => {
  await assert.rejects(
    bundled([/heavy\.js$/, "export const name = 'light';"], [/moved\.js$/, '']),
    /the stand-in for moved\\\.js\$ matches no file/,
  );
});
