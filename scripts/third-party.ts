/**
 * What other people's code the package holds or asks for: their notices, which have to travel with it, the bill of materials
 * (CycloneDX 1.5), and the versions that users get (npm-shrinkwrap.json). All from the lock file and the files themselves.
 */
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

interface Locked {
  name?: string;
  version?: string;
  license?: string;
  integrity?: string;
  resolved?: string;
  dev?: boolean;
  [more: string]: unknown;
}

export interface Lock {
  name: string;
  version: string;
  packages: Record<string, Locked>;
  [more: string]: unknown;
}

/** Files of each package, by its folder (`node_modules/undici`), whose code is in the output. */
export function bundledFiles({ outputs }: Pick<Metafile, 'outputs'>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const files = new Set(
    Object.values(outputs).flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
    ),
  );
  for (const file of [...files].sort()) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
    if (folder !== undefined) found.set(folder, [...(found.get(folder) ?? []), file]);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Folders of the packages that are installed beside ours. */
export function installedFolders({ packages }: Lock): string[] {
  return Object.keys(packages).filter((folder) => folder !== '' && packages[folder]?.dev !== true);
}

/** The notices of all packages: licence and notice files wherever they stand in one, and what the bundled files say in comments. */
export async function noticesOf(root: string, packages: ReadonlyMap<string, readonly string[]>): Promise<string> {
  const notices: string[] = [];
  for (const [folder, files] of packages) {
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as Record<
      string,
      string
    >;
    const texts = [...(await noticeFiles(join(root, folder))), ...(await noticeComments(root, files))];
    if (texts.length === 0) texts.push(`Licence: ${license}`);
    notices.push([`${name} ${version}`, ...new Set(texts)].join('\n\n'));
  }
  return `${notices.join(`\n\n${'-'.repeat(72)}\n\n`)}\n`;
}

const NOTICE_FILE = /(?:^|\/)(?:licen[cs]e|notice|copying|third-?party)[^/]*$/i;

/** The package's own first, then those of code that it holds itself. */
async function noticeFiles(folder: string): Promise<string[]> {
  const files = await Array.fromAsync(glob('**/*', { cwd: folder, exclude: (name) => name === 'node_modules' }));
  const named = files.filter((file) => NOTICE_FILE.test(file) && !/\.[cm]?[jt]sx?$|\.json$|\.map$/.test(file));
  named.sort((a, b) => a.split('/').length - b.split('/').length || (a < b ? -1 : 1));
  const texts = await Promise.all(named.map((file) => readFile(join(folder, file), 'utf8').catch(() => '')));
  return texts.map((text) => text.trim()).filter((text) => text !== '');
}

const COMMENT = /\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n)+/gm;
const LEGAL = /copyright \(c\)|copyright ©|copyright \d{4}|@license|@preserve|licensed under/i;

async function noticeComments(root: string, files: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const file of files) {
    const text = await readFile(join(root, file), 'utf8').catch(() => '');
    for (const [comment] of text.matchAll(COMMENT)) if (LEGAL.test(comment)) found.add(comment.trim());
  }
  return [...found];
}

/** CycloneDX 1.5, without time and serial number: the same sources give the same bytes. @param bundled folders of bundled packages */
export function billOfMaterials(lock: Lock, bundled: Iterable<string>): object {
  const installed = installedFolders(lock);
  const all = new Map<string, string>([...bundled].map((folder) => [folder, 'bundled into dist']));
  for (const folder of installed) all.set(folder, 'installed as a dependency');
  const components = [...all].map(([folder, how]) => component(folder, lock.packages[folder], how));
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': purl(lock.name, lock.version),
        ...{ name: lock.name, version: lock.version, purl: purl(lock.name, lock.version) },
        licenses: [{ license: { id: String(lock.packages['']?.license) } }],
      },
    },
    components: [...new Map(components.map((one) => [one['bom-ref'], one])).values()],
  };
}

function component(folder: string, locked: Locked | undefined, how: string) {
  const name = locked?.name ?? folder.replace(/^.*node_modules\//, '');
  const { version, license, integrity } = locked ?? {};
  if (version === undefined || license === undefined || integrity === undefined) {
    throw new Error(`${folder} has no version, licence or checksum in the lock file`);
  }
  const reference = purl(name, version);
  const content = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
  return {
    type: 'library',
    'bom-ref': reference,
    ...{ name, version, purl: reference, scope: 'required' },
    hashes: [{ alg: 'SHA-512', content }],
    licenses: [/ (?:OR|AND|WITH) /.test(license) ? { expression: license } : { license: { id: license } }],
    properties: [{ name: 'credicorp:how', value: how }],
  };
}

function purl(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** The lock file without what only development needs. Published, it gives users the versions and checksums that were tested. */
export function shrinkwrapOf(lock: Lock): Lock {
  const { devDependencies: _, ...own } = lock.packages[''] ?? {};
  const kept = installedFolders(lock).map((folder) => [folder, lock.packages[folder] ?? {}] as const);
  return { ...lock, packages: { '': own, ...Object.fromEntries(kept) } };
}
