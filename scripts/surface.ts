/**
 * What users, scripts and pipelines rely on, in one file: commands, flags, arguments, environment variables, exit statuses and the shapes
 * of what is printed as JSON. `npm run surface` records it anew and writes the README's table of commands from it; a difference from
 * the record fails test/surface/surface.test.ts, so that nothing of it changes unnoticed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as Resources from '../src/lib/contract/resources.ts';
import { STATUS } from '../src/lib/cli/explain.ts';

const root = join(import.meta.dirname, '..');

export interface Surface {
  commands: Record<string, { summary: string; args: string[]; flags: Record<string, string> }>;
  variables: string[];
  statuses: Record<string, number>;
  /** Members of the API's objects, as the program reads them. */
  resources: Record<string, string[]>;
  /** Members and types of what commands print with `--json`, seen in a run. */
  documents: Record<string, unknown>;
}

export function surfaceFile(): string {
  return join(root, 'test', 'surface', 'surface.json');
}

/** Of the built program. */
export function surface(): Surface {
  return {
    commands: commands(),
    variables: variables(),
    statuses: { ok: 0, ...STATUS },
    resources: resources(),
    documents: documents(),
  };
}

interface Flag {
  char?: string;
  type: string;
  options?: string[];
  default?: unknown;
  multiple?: boolean;
  required?: boolean;
  exclusive?: string[];
  dependsOn?: string[];
  helpValue?: string;
}

interface Entry {
  summary?: string;
  hidden?: boolean;
  flags: Record<string, Flag>;
  args: Record<string, { required?: boolean; options?: string[] }>;
}

function commands(): Surface['commands'] {
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, Entry>;
  };
  const known = Object.entries(manifest.commands).filter(([, { hidden }]) => hidden !== true);
  return Object.fromEntries(
    known.sort(byName).map(([id, { summary = '', args, flags }]) => [
      id.replaceAll(':', ' '),
      {
        summary,
        args: Object.entries(args).map(([name, { required, options }]) => {
          const word = options ? options.join('|') : name.toUpperCase();
          return required === true ? word : `[${word}]`;
        }),
        flags: Object.fromEntries(
          Object.entries(flags)
            .sort(byName)
            .map(([name, flag]) => [name, flagText(flag)]),
        ),
      },
    ]),
  );
}

/** One line for each flag: a change is one line of a difference. */
function flagText(flag: Flag): string {
  const value = flag.options ? flag.options.join('|') : (flag.helpValue ?? '<value>');
  return [
    flag.char === undefined ? '' : `-${flag.char}`,
    flag.type === 'boolean' ? 'switch' : value,
    flag.multiple === true ? 'repeatable' : '',
    flag.required === true ? 'required' : '',
    flag.default === undefined ? '' : `default ${JSON.stringify(flag.default)}`,
    flag.exclusive?.length ? `not with ${[...flag.exclusive].sort().join(' ')}` : '',
    flag.dependsOn?.length ? `only with ${flag.dependsOn.join(' ')}` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

/** Names of our own that the sources read, with the twins that are put together from a stem. */
function variables(): string[] {
  const found = new Set<string>();
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    for (const [, name = ''] of text.matchAll(
      /\b(?:env|given|single|twin|secret)\w*(?:\(|\[)[^'\n]{0,20}'((?:CC|CREDICORP)_[A-Z_]+)'/g,
    ))
      found.add(name);
    for (const [, stem = ''] of text.matchAll(/\b(?:twin\(env, |secret\()'([A-Z_]+)'/g))
      for (const prefix of ['CC_', 'CREDICORP_']) found.add(prefix + stem);
  }
  return [...found].sort();
}

function resources(): Surface['resources'] {
  const { Application, Decision, DecisionRefresh, Payment, PaymentLink, IdentityCheck, Account, WebhookEndpoint } =
    Resources;
  const all = { Application, Decision, DecisionRefresh, Payment, PaymentLink, IdentityCheck, Account, WebhookEndpoint };
  return Object.fromEntries(Object.entries(all).map(([name, { shape }]) => [name, Object.keys(shape)]));
}

/** A command line, and where it ends otherwise than with 0. Each is run once, in this order. */
const RUNS: readonly [line: string, status?: number][] = [
  ['sandbox status'],
  ['whoami'],
  ['profiles list'],
  ['apps create --company 16093826 --amount 25000 --term 12 --wait'],
  ['apps create --company 16093826 --dry-run'],
  ['apps create --from rows.csv', 1],
  ['apps list --limit 2'],
  ['payments create --amount 10'],
  ['payments link --amount 10 --reference R'],
  ['identity check --first-name A --last-name B --date-of-birth 1990-01-01 --wait'],
  ['accounts list'],
  ['token'],
  ['errors explain parameter_missing'],
  ['logs tail --no-follow --source cli --since 1h'],
  ['apps get app_00000000', 3],
  ['apps create --company 1', 2],
];

function documents(): Record<string, unknown> {
  const home = mkdtempSync(join(tmpdir(), 'credicorp-surface-'));
  const env = { PATH: process.env['PATH'], HOME: home, XDG_RUNTIME_DIR: home };
  const program = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
      env,
      cwd: home,
      encoding: 'utf8',
      timeout: 30_000,
    });
  try {
    writeFileSync(join(home, 'rows.csv'), 'company,amount,term\n16093826,25000,12\n00000411,25000,12\n');
    const found: Record<string, unknown> = {
      'sandbox start --background': shapeOf(
        JSON.parse(program('sandbox', 'start', '--background', '--port', '0', '--json').stdout),
      ),
    };
    for (const [line, expected = 0] of RUNS) {
      const { status, stdout, stderr } = program(...line.split(' '), '--json');
      if (status !== expected) throw new Error(`${line} ended with ${status}: ${stderr}`);
      const text = stdout === '' ? (stderr.trim().split('\n').at(-1) ?? '') : stdout.trim();
      found[line] = text
        .split('\n')
        .map((one) => shapeOf(JSON.parse(one)))
        .reduce(merged);
    }
    return found;
  } finally {
    program('sandbox', 'stop');
    rmSync(home, { recursive: true, force: true });
  }
}

/** The type of each member; items of a list are one item. Whether a member is null depends on the moment, and is not told. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [value.map(shapeOf).reduce(merged)];
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byName)
      .map(([name, inner]) => [name, shapeOf(inner)]),
  );
}

function merged(one: unknown, other: unknown): unknown {
  if (one === 'null' || other === 'null') return one === 'null' ? other : one;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === 0 || other.length === 0 ? [...one, ...other] : [merged(one[0], other[0])];
  if (!isObject(one) || !isObject(other)) return one === other ? one : `${String(one)}|${String(other)}`;
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      name in one && name in other ? merged(one[name], other[name]) : (one[name] ?? other[name]),
    ]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

const MARKS = /(<!-- commands -->\n)[\s\S]*?(<!-- end of commands -->)/;

/** The README with its table of commands as the surface has it. */
export function withTable(readme: string, { commands }: Surface): string {
  const rows = Object.entries(commands).map(
    ([name, { summary, args }]) =>
      `| \`${['credicorp', name, ...args].join(' ').replaceAll('|', '\\|')}\` | ${summary} |`,
  );
  const table = ['', '| command | does |', '|---|---|', ...rows, '', ''].join('\n');
  if (!MARKS.test(readme)) throw new Error('the README has no marks for its table of commands');
  return readme.replace(MARKS, (_all, begin: string, end: string) => `${begin}${table}${end}`);
}

if (import.meta.main) {
  if (!existsSync(join(root, 'oclif.manifest.json'))) execFileSync('npm', ['run', '--silent', 'build'], { cwd: root });
  const now = surface();
  writeFileSync(surfaceFile(), `${JSON.stringify(now, null, 2)}\n`);
  const readme = join(root, 'README.md');
  writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), now));
}
