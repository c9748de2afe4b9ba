/**
 * What users, scripts and pipelines rely on, in one file: commands, flags, arguments, environment variables, exit statuses and the shapes
 * of what is printed as JSON. `npm run surface` records it again and writes the README's table of commands from it; a difference from
 * the record fails test/surface/surface.test.ts, so that nothing of it changes unnoticed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as Resources from '../src/lib/contract/resources.ts';
import { errorDocument, STATUS } from '../src/lib/cli/explain.ts';
import { Failure, type FailureFacts } from '../src/lib/failure.ts';
import { type CommandEntry, type FlagEntry, readManifest } from '../src/lib/cli/manifest.ts';
import { documents } from './surface-documents.ts';

const root = join(import.meta.dirname, '..');

export interface Surface {
  commands: Record<string, { summary: string; args: string[]; flags: Record<string, string> }>;
  variables: string[];
  statuses: Record<string, number>;
  /** Members of the API's objects, as the program reads them. */
  resources: Record<string, string[]>;
  /** Members of the error document. */
  error: string[];
  /** Members and types of what commands print with `--json`, seen in a run. */
  documents: Record<string, unknown>;
}

export function surfaceFile(): string {
  return join(root, 'test', 'surface', 'surface.json');
}

/** Of the built program; what commands print, of its sources. */
export async function surface(): Promise<Surface> {
  const all = await readManifest(root);
  return {
    commands: commands(all),
    variables: variables(),
    statuses: { ok: 0, ...STATUS },
    resources: resources(),
    error: errorMembers(),
    documents: await documents(root, Object.values(all)),
  };
}

function commands(all: Readonly<Record<string, CommandEntry>>): Surface['commands'] {
  const known = Object.entries(all).filter(([, { hidden }]) => hidden !== true);
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
function flagText(flag: FlagEntry): string {
  const value = flag.options ? flag.options.join('|') : String(flag.helpValue ?? '<value>');
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

/** Names that the sources read: our own, and those of other tools (NO_COLOR, EDITOR, proxies, places); with the twins that are put together from a stem. */
function variables(): string[] {
  const found = new Set<string>();
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    for (const [, name = ''] of text.matchAll(
      /\b(?:env|given|single|twin|secret)\w*(?:\(|\[)[^'\n]{0,20}'((?:CC|CREDICORP)_[A-Z_]+)'/g,
    ))
      found.add(name);
    for (const [, name = ''] of text.matchAll(/\b(?:env\[|given\()'([A-Z][A-Z_]+)'/g)) found.add(name);
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

/** Those of a failure about which everything is known. */
function errorMembers(): string[] {
  const facts: Required<FailureFacts> = {
    ...{
      status: 422,
      type: 't',
      code: 'c',
      param: 'p',
      details: [],
      requestId: 'r',
      docUrl: 'd',
      retryAfter: 1,
      next: 'n',
    },
    ...{ last: 'l', cursor: 'c', sent: true, mayHaveHappened: true, idempotencyKey: 'k', repeat: 'r' },
  };
  return Object.keys(errorDocument(new Failure('refused', 'm', facts)).error);
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
  const now = await surface();
  writeFileSync(surfaceFile(), `${JSON.stringify(now, null, 2)}\n`);
  const readme = join(root, 'README.md');
  writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), now));
}
