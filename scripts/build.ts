/**
 * Bundles the program: one file per command, shared chunks, the manifest that spares oclif from reading every command, and the
 * licences and the bill of materials of what went in. `keytar` stays outside: it is a native module.
 */
import { glob, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { manifestOf } from './manifest.ts';
import { standIns } from './stand-ins.ts';
import { billOfMaterials, bundledFiles, installedFolders, type Lock, noticesOf } from './third-party.ts';

const root = join(import.meta.dirname, '..');

/** Parts of libraries that every start would load and no start of this program uses, and what stands in for each. */
const STAND_INS: readonly (readonly [file: RegExp, contents: string])[] = [
  // undici's HTTP/2 client, with Node's `http2` behind it, although it is switched off (`allowH2: false`).
  [
    /undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/,
    "module.exports = () => { throw new Error('HTTP/2 is not part of this program'); };",
  ],
  // oclif's names for platform and shell, which it shows nowhere here; on Windows it would start a PowerShell to learn them.
  [
    /@oclif[\\/]core[\\/]lib[\\/]util[\\/]os\.js$/,
    "const os = require('node:os'); exports.getHomeDir = () => os.homedir(); exports.getPlatform = async () => os.platform(); exports.getShell = async () => 'unknown';",
  ],
  // Patterns among plug-ins; there are none.
  [/minimatch[\\/]dist[\\/]commonjs[\\/]index\.js$/, 'exports.minimatch = () => false;'],
  // Finding command files without a manifest; the package ships one.
  [
    /tinyglobby[\\/]dist[\\/]index\.cjs$/,
    "exports.glob = async () => { throw new Error('oclif.manifest.json is missing'); };",
  ],
];

await rm(join(root, 'dist'), { recursive: true, force: true });
await rm(join(root, 'oclif.manifest.json'), { force: true });
const commands = await Array.fromAsync(glob('src/commands/**/*.ts', { cwd: root }));
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [
    ...commands.map((file) => ({ in: file, out: file.replace(/^src\//, '').replace(/\.ts$/, '') })),
    { in: 'src/lib/cli/program.ts', out: 'main' },
    { in: 'src/lib/auth/keychain/keychain-helper.ts', out: 'keychain-helper' },
  ],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  external: ['keytar'],
  plugins: [standIns(STAND_INS)],
  chunkNames: 'chunks/[name]-[hash]',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  // CommonJS packages inside the bundle ask for Node's own modules with `require`.
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
});
// One file without chunks: it is read before the compile cache is there.
await build({
  absWorkingDir: root,
  entryPoints: ['src/lib/files/ownership.ts'],
  outfile: 'dist/ownership.js',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minify: true,
  logLevel: 'warning',
});
await writeFile(join(root, 'oclif.manifest.json'), JSON.stringify(await manifestOf(root)));
await writePapers(metafile);

/** MIT and its relatives ask for their notice to travel with the code. */
async function writePapers(bundled: Metafile): Promise<void> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const files = bundledFiles(bundled);
  const all = new Map(files);
  for (const folder of installedFolders(lock)) all.set(folder, []);
  const notices = await noticesOf(root, all);
  await writeFile(join(root, 'dist', 'THIRD-PARTY-LICENCES.txt'), notices);
  const bill = billOfMaterials(lock, files.keys());
  await writeFile(join(root, 'dist', 'sbom.cdx.json'), `${JSON.stringify(bill, undefined, 2)}\n`);
}
