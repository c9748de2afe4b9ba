/**
 * The shape of what each command prints as JSON, seen in a run against a sandbox of its own whose clock stands still. Commands run in this
 * process, one after another; each is followed by what it prints, so a new member, a lost one or another type is a difference.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { run } from '../src/lib/cli/program.ts';
import { freshFolder } from '../test/support/folder.ts';
import { command, type World, worldOf } from '../test/support/world.ts';
import { merged, shapeOf } from './shape.ts';
import { valuesAt } from '../src/lib/cli/output/format.ts';

interface More {
  /** Where it ends otherwise than with 0. */
  status?: number | 'any';
  input?: string;
  /** Values of the first document, by dotted path, that later lines name as `{name}`. */
  take?: Readonly<Record<string, string>>;
}

/** In the order of the recorded file. */
const LINES: readonly [line: string, more?: More][] = [
  ['sandbox status'],
  ['login --env local --client-id cid_sbx_local --secret-stdin', { input: 'csk_sbx_local\n' }],
  ['whoami --check'],
  ['profiles list'],
  ['profiles use local'],
  ['profiles pin local'],
  ['token'],
  ['token show'],
  ['token verify'],
  ['token introspect'],
  ['status'],
  ['open docs'],
  ['autocomplete bash'],
  ['errors explain parameter_missing'],
  ['apps create --company 16093826 --amount 25000 --term 12', { take: { application: 'id' } }],
  ['apps create --company 16093826 --dry-run'],
  ['apps create --from rows.csv', { status: 1 }],
  ['apps list --limit 2'],
  ['apps list --all'],
  ['apps get {application}'],
  ['apps open {application}'],
  ['apps submit {application}'],
  ['api GET /partner/v1/applications/{application}'],
  ['sandbox clock'],
  ['sandbox clock advance 1m'],
  ['decisions get {application} --wait'],
  ['decisions refresh {application} --amount 20000'],
  ['apps create --company 00000408', { take: { unwanted: 'id' } }],
  ['apps withdraw {unwanted}'],
  ['payments create --amount 10', { take: { payment: 'id' } }],
  ['payments get {payment}'],
  ['payments link --amount 10 --reference R', { take: { link: 'id' } }],
  ['payments link --from links.csv'],
  ['payments links get {link}'],
  ['payments list'],
  ['identity check --first-name A --last-name B --date-of-birth 1990-01-01', { take: { check: 'id' } }],
  ['identity get {check}'],
  ['api POST /_sandbox/applications/{application}/fund'],
  ['accounts list', { take: { account: 'data.0.id' } }],
  ['accounts get {account}'],
  ['webhooks endpoints create --url {handler}', { take: { endpoint: 'id' } }],
  ['webhooks endpoints get {endpoint}'],
  ['webhooks endpoints list'],
  ['webhooks endpoints update {endpoint} --status disabled'],
  ['webhooks endpoints rotate {endpoint}'],
  ['webhooks endpoints delete {endpoint}'],
  ['webhooks sign body.json --secret-file secret.txt', { take: { header: 'header' } }],
  ['webhooks verify body.json --header {header} --secret-file secret.txt'],
  ['webhooks send body.json --forward {handler} --secret-file secret.txt'],
  ['webhooks test --forward {handler} --secret-file secret.txt', { status: 9 }],
  ['logs tail --no-follow --source cli --since 1h', { take: { request: 'request_id' } }],
  ['logs show {request}'],
  ['logs stats'],
  ['logs limits'],
  ['support report {request}'],
];

const FILES = {
  'rows.csv': 'company,amount,term\n16093826,25000,12\n00000411,25000,12\n',
  'links.csv': 'amount,reference\n10,R\n',
  'body.json': '{"id":"evt_1","type":"payment.settled"}',
  'secret.txt': 'whsec_EXAMPLE_alpha\n',
};

/** While a listener runs. */
const HEARD: readonly [line: string, more?: More][] = [
  ['webhooks trigger decision.completed'],
  ['webhooks expect --type decision.completed', { take: { event: 'event_id' } }],
  ['webhooks secret'],
  ['events list'],
  ['events show {event}'],
  ['events replay {event} --forward {handler}'],
];

const LAST: readonly [line: string, more?: More][] = [
  ['sandbox companies'],
  ['sandbox faults add error --status 503'],
  ['sandbox faults list'],
  ['sandbox faults clear'],
  ['apps get app_00000000', { status: 3 }],
  ['apps create --company 1', { status: 2 }],
  ['sandbox reset'],
  ['doctor', { status: 'any' }],
  ['logout'],
  ['sandbox start --background --port 0'],
  ['profiles remove local'],
  ['sandbox stop'],
  ['demo'],
];

/** Shapes by command line, as typed but for `--json`. @throws Error where a line ends otherwise than it should */
export async function documents(): Promise<Record<string, unknown>> {
  const home = freshFolder();
  const app = createServer((request, response) => request.resume().on('end', () => response.end('ok')));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const known = new Map([['handler', `http://127.0.0.1:${(app.address() as AddressInfo).port}/hook`]]);
  const found: Record<string, unknown> = {};
  const record = async (lines: typeof LINES): Promise<void> => {
    for (const [line, more] of lines) found[line] = await shapeOfRun({ home }, line, known, more);
  };
  for (const [name, text] of Object.entries(FILES)) {
    known.set(name, join(home, name));
    writeFileSync(join(home, name), text);
  }
  const running: Running[] = [];
  const begun = async (line: string): Promise<Running> => {
    const one = await begin(home, line);
    running.push(one);
    return one;
  };
  try {
    const sandbox = await begun('sandbox start --port 0 --clock-frozen --seed surface');
    await record(LINES);
    found['proxy start --port 0'] = shapeOfAll(await (await begun('proxy start --port 0')).end());
    const listener = await begun('webhooks listen --no-forward');
    await record(HEARD);
    found['webhooks listen --no-forward'] = byType(await listener.end());
    await record(LAST.slice(0, -4));
    found['sandbox start'] = shapeOfAll(await sandbox.end());
    await record(LAST.slice(-4));
  } finally {
    for (const one of running) await one.end();
    app.close();
  }
  return found;
}

async function shapeOfRun(
  world: World,
  line: string,
  known: Map<string, string>,
  { status = 0, input = '', take = {} }: More = {},
): Promise<unknown> {
  const named = (_all: string, name: string): string => known.get(name) ?? name;
  const words = line
    .split(' ')
    .map((word) => (word in FILES ? (known.get(word) ?? word) : word.replace(/\{(\w+)\}/, named)));
  const said = await command({ ...world, input }, ...words, '--json');
  if (status !== 'any' && said.status !== status) throw new Error(`${line} ended with ${said.status}: ${said.stderr}`);
  const text = said.stdout === '' ? (said.stderr.trim().split('\n').at(-1) ?? '') : said.stdout.trim();
  const [first, ...rest] = text.split('\n').map((one): unknown => JSON.parse(one));
  for (const [name, path] of Object.entries(take)) known.set(name, String(valuesAt(first, path)[0]));
  return shapeOfAll([first, ...rest]);
}

interface Running {
  /** Ctrl-C. @returns the documents it printed */
  end(): Promise<unknown[]>;
}

/** Starts what ends on Ctrl-C, and waits for its first line. */
async function begin(home: string, line: string): Promise<Running> {
  const { context, said } = worldOf({ home });
  const ended = run([...line.split(' '), '--json'], context);
  let over = false;
  void ended.then(() => (over = true));
  while (!said().stdout.includes('\n')) {
    if (over) throw new Error(`${line} ended: ${said().stderr}`);
    await turn();
  }
  return {
    async end() {
      context.interrupt('SIGINT');
      await ended;
      const lines = said().stdout.trim().split('\n');
      return lines.map((one): unknown => JSON.parse(one));
    },
  };
}

function shapeOfAll(documents: readonly unknown[]): unknown {
  return documents.map(shapeOf).reduce(merged);
}

/** Moments differ by their type. */
function byType(moments: readonly unknown[]): Record<string, unknown> {
  const groups = Map.groupBy(moments, (moment) => String(valuesAt(moment, 'type')[0]));
  return Object.fromEntries([...groups].map(([type, some]) => [type, shapeOfAll(some)]));
}
