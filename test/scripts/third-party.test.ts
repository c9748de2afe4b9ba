/** Whose code the package holds: notices, bill of materials, and the versions users get. The build is there already. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { billOfMaterials, bundledFiles, type Lock, noticesOf, shrinkwrapOf } from '../../scripts/third-party.ts';
import { freshHome, root } from '../support/spawn.ts';

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;

describe('the built package', () => {
  interface Component {
    name: string;
    version: string;
    purl: string;
    hashes: { alg: string; content: string }[];
    licenses: unknown[];
    properties: { value: string }[];
  }
  const bill = JSON.parse(readFileSync(join(root, 'dist', 'sbom.cdx.json'), 'utf8')) as {
    bomFormat: string;
    specVersion: string;
    metadata: { component: { name: string } };
    components: Component[];
  };
  const notices = readFileSync(join(root, 'dist', 'THIRD-PARTY-LICENCES.txt'), 'utf8');

  it('has a bill of materials with version, checksum and licence of each package', () => {
    assert.deepEqual([bill.bomFormat, bill.specVersion, bill.metadata.component.name], ['CycloneDX', '1.5', lock.name]);
    assert.ok(bill.components.length > 40, String(bill.components.length));
    assert.equal(new Set(bill.components.map(({ purl }) => purl)).size, bill.components.length);
    for (const { name, version, hashes, licenses } of bill.components) {
      const integrity = `sha512-${Buffer.from(hashes[0]?.content ?? '', 'hex').toString('base64')}`;
      const locked = Object.entries(lock.packages).find(
        ([folder, one]) => (one.name ?? folder.replace(/^.*node_modules\//, '')) === name && one.version === version,
      );
      assert.equal(integrity, locked?.[1].integrity, name);
      assert.equal(licenses.length, 1, name);
    }
  });

  it('names every package that the sources import, and what npm installs beside it', async () => {
    const names = new Map(bill.components.map(({ name, properties }) => [name, properties[0]?.value]));
    const imported = new Set<string>();
    for await (const file of glob('src/**/*.ts', { cwd: root })) {
      const text = await readFile(join(root, file), 'utf8');
      for (const [, name = ''] of text.matchAll(/^(?:import(?! type)[^;]*?from|export[^;]*?from) '([^.'][^']*)'/gm)) {
        if (!isBuiltin(name)) imported.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
      }
    }
    assert.ok(imported.size >= 5, [...imported].join());
    for (const name of imported) assert.ok(names.has(name), name);
    const installed = [...names].filter(([, how]) => how === 'installed as a dependency').map(([name]) => name);
    assert.deepEqual(installed.sort(), ['@github/keytar', 'node-addon-api']);
  });

  it('has the notice of each of them', async () => {
    for (const { name, version } of bill.components) assert.ok(notices.includes(`${name} ${version}\n`), name);
    for (const { name } of bill.components.filter(({ name }) => name !== '@github/keytar')) {
      for await (const file of glob('{LICEN[CS]E,licen[cs]e,NOTICE}*', { cwd: join(root, 'node_modules', name) })) {
        const text = (await readFile(join(root, 'node_modules', name, file), 'utf8')).trim();
        const nested = Object.keys(lock.packages).some((folder) => folder.endsWith(`/node_modules/${name}`));
        if (!nested) assert.ok(notices.includes(text), `${name}: ${file}`);
      }
    }
  });
});

it('notices: of the package, of code it holds itself, in NOTICE files and in comments; each once', async () => {
  using home = freshHome();
  const folder = join(home.path, 'node_modules', 'one');
  mkdirSync(join(folder, 'vendor', 'two'), { recursive: true });
  mkdirSync(join(folder, 'node_modules', 'three'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"name":"one","version":"1.0.0","license":"MIT"}');
  writeFileSync(join(folder, 'license.md'), 'licence of one');
  writeFileSync(join(folder, 'NOTICE'), 'notice of one');
  writeFileSync(join(folder, 'vendor', 'two', 'LICENSE-MIT.txt'), 'licence of two');
  writeFileSync(join(folder, 'node_modules', 'three', 'LICENSE'), 'licence of three');
  writeFileSync(join(folder, 'license.js'), 'code, no licence');
  writeFileSync(join(folder, 'a.js'), '/*! Copyright (c) 2001 Four */\ncode();\n// Copyright (c) 2002 Five\n');
  writeFileSync(join(folder, 'b.js'), '/*! Copyright (c) 2001 Four */\n/* no such thing */\n');
  const text = await noticesOf(
    home.path,
    new Map([['node_modules/one', ['node_modules/one/a.js', 'node_modules/one/b.js']]]),
  );
  for (const once of ['one 1.0.0', 'licence of one', 'notice of one', 'licence of two', '2001 Four', '2002 Five']) {
    assert.equal(text.split(once).length, 2, once);
  }
  assert.doesNotMatch(text, /three|no such|code\(\)|no licence/);
});

it('only files whose code is in the output count', () => {
  const inputs = { 'node_modules/a/x.js': { bytesInOutput: 1 }, 'node_modules/b/x.js': { bytesInOutput: 0 } };
  const own = { 'src/x.ts': { bytesInOutput: 9 }, 'node_modules/a/node_modules/@c/d/x.js': { bytesInOutput: 1 } };
  const outputs = { out: { inputs: { ...inputs, ...own } } } as unknown as Parameters<
    typeof bundledFiles
  >[0]['outputs'];
  assert.deepEqual([...bundledFiles({ outputs }).keys()], ['node_modules/a', 'node_modules/a/node_modules/@c/d']);
});

it('a package without a checksum in the lock file stops the build', () => {
  assert.throws(() => billOfMaterials(lock, ['node_modules/not-there']), /not-there has no version/);
});

it('users get exactly the versions that were tested: exact in package.json, with checksums in the shrinkwrap', () => {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  for (const range of Object.values(own.dependencies)) assert.match(range, /^(?:npm:@?[\w/-]+@)?\d+\.\d+\.\d+$/);
  const { packages } = shrinkwrapOf(lock);
  assert.deepEqual(Object.keys(packages), ['', 'node_modules/keytar', 'node_modules/node-addon-api']);
  assert.deepEqual(packages['']?.['dependencies'], own.dependencies);
  assert.equal(packages['']?.['devDependencies'], undefined);
  for (const [folder, { integrity }] of Object.entries(packages)) if (folder) assert.match(integrity ?? '', /^sha512-/);
});
