/**
 * Prints the walk of two real runs: which of our own source files they pass through, in the order in which they are loaded, counted
 * against a mark; a walk over its mark ends with status 1. `npm run walk` builds first; `npm run walk -- create` or `npm run walk -- delivery` prints one of the two.
 *
 * Each run is the installed program (`bin/run.js`) on the embedded sandbox, with a loader hook that gives it the sources instead of
 * their bundles. A file counts when one of its functions runs: for `create` from the start of the process to its end, for
 * `delivery` from the socket to the journal. What is loaded and only holds tables, text or classes has a `-` for its number.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type Profiler, Session } from 'node:inspector';
import { registerHooks } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MARKS = { create: 40, delivery: 20 };
const DELIVERIES = 3;

interface Loaded {
  /** Path from the root of the repository. */
  name: string;
  /** One of its functions was called. */
  ran: boolean;
}

const root = join(import.meta.dirname, '..');
const program = join(root, 'bin', 'run.js');
/** Set in the programs whose files are counted, which load this script before anything else. */
const TRACED = 'CREDICORP_WALK_TRACED';

if (process.env[TRACED] === undefined) await main(process.argv.slice(2));
else trace();

async function main(asked: readonly string[]): Promise<void> {
  if (!existsSync(join(root, 'oclif.manifest.json'))) throw new Error('build first: npm run walk');
  const home = mkdtempSync(join(tmpdir(), 'credicorp-walk-'));
  const env = { PATH: process.env['PATH'], HOME: home };
  const sandbox = start(['sandbox', 'start', '--port', '0', '--json'], env);
  try {
    await firstLine(sandbox);
    if (asked.length === 0 || asked.includes('create')) show('create', await walkOfCreate(env));
    if (asked.length === 0 || asked.includes('delivery')) show('delivery', await walkOfDelivery(env));
  } finally {
    await stop(sandbox);
    rmSync(home, { recursive: true, force: true });
  }
}

/** `apps create` on the embedded sandbox, off a terminal, with a token in the cache, as on every call but the first of its hour. */
async function walkOfCreate(env: NodeJS.ProcessEnv): Promise<Loaded[]> {
  const create = ['apps', 'create', '--company', '16093826', '--json'];
  await output(create, env);
  return report(start(create, { ...env, [TRACED]: 'whole' }));
}

/** Deliveries of the embedded sandbox to a listener that forwards them. What ran during each of them belongs to the walk: the rest is timers. */
async function walkOfDelivery(env: NodeJS.ProcessEnv): Promise<Loaded[]> {
  const app = createServer((request, response) => request.resume().on('end', () => response.end('ok')));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const target = `127.0.0.1:${(app.address() as AddressInfo).port}/hook`;
  const listener = start(['webhooks', 'listen', '--forward', target, '--json'], { ...env, [TRACED]: 'part' });
  try {
    await firstLine(listener);
    let walk: Loaded[] = [];
    for (let sent = 1; sent <= DELIVERIES; sent += 1) {
      listener.send('begin');
      await output(['webhooks', 'trigger', 'decision.completed'], env);
      // The sender has its answer before the delivery is forwarded and written to the journal.
      for (let written = 0; written < sent;) {
        const journal = await output(['logs', 'tail', '--since', '1m', '--no-follow', '--json'], env);
        written = journal.split('"/hook"').length - 1;
      }
      listener.send('end');
      const seen = await report(listener);
      walk = seen.map(({ name, ran }) => ({
        name,
        ran: ran && (walk.find((file) => file.name === name)?.ran ?? sent === 1),
      }));
    }
    return walk;
  } finally {
    app.close();
    await stop(listener);
  }
}

function show(walk: keyof typeof MARKS, files: readonly Loaded[]): void {
  let passed = 0;
  for (const { name, ran } of files) process.stdout.write(`${String(ran ? ++passed : '-').padStart(4)}  ${name}\n`);
  if (passed > MARKS[walk]) process.exitCode = 1;
  process.stdout.write(`${walk}: passes ${passed} files (mark: ${MARKS[walk]}), loads ${files.length}\n\n`);
}

function start(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const hooks =
    env[TRACED] === undefined ? [] : ['--no-warnings', '--import', pathToFileURL(import.meta.filename).href];
  return spawn(process.execPath, [...hooks, program, ...args], { env, stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
}

/** What follows is read too and thrown away: a program whose reader is gone would end. */
function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('no stdout');
    createInterface({ input: child.stdout })
      .once('line', resolve)
      .once('close', () => reject(new Error('the program ended without a word')))
      .on('line', () => undefined);
  });
}

async function output(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = start(args, env);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await ended(child);
  return text;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve));
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGINT');
  await ended(child);
}

function report(child: ChildProcess): Promise<Loaded[]> {
  return new Promise((resolve) => child.once('message', (files) => resolve(files as Loaded[])));
}

/** In the traced program: sources take the place of the bundles, and each is noted as it is loaded. */
function trace(): void {
  const loaded: string[] = [];
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const file = found.url.startsWith('file:') ? fileURLToPath(found.url) : '';
      const source = sourceOf(file);
      return source === null ? found : next(pathToFileURL(source).href, context);
    },
    load(url, context, next) {
      const name = ours(url);
      // Data files are read, not walked through.
      if (name !== null && !name.endsWith('.json')) loaded.push(name);
      return next(url, context);
    },
  });
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  const begin = (): void => session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  const end = (): void =>
    session.post('Profiler.takePreciseCoverage', (_, { result }) => {
      const ran = new Set(result.filter(({ functions }) => functions.some(calledIn)).map(({ url }) => ours(url)));
      process.send?.(loaded.map((name): Loaded => ({ name, ran: ran.has(name) })));
    });
  if (process.env[TRACED] === 'whole') {
    begin();
    process.on('exit', end);
  } else process.on('message', (message) => (message === 'begin' ? begin() : end()));
  process.channel?.unref();
}

/** A function without a name may be the module itself, which runs when it is loaded. */
function calledIn({ functionName, ranges }: Profiler.FunctionCoverage): boolean {
  return functionName !== '' && ranges.some(({ count }) => count > 0);
}

/** The source behind a built entry point. */
function sourceOf(file: string): string | null {
  const built = /^dist\/(.*)\.js$/.exec(relativeTo(file) ?? '')?.[1];
  if (built === 'main') return join(root, 'src', 'lib', 'cli', 'program.ts');
  return built?.startsWith('commands/') === true ? join(root, 'src', `${built}.ts`) : null;
}

/** The file's name in this repository when it is a source of ours. */
function ours(url: string): string | null {
  const name = url.startsWith('file:') ? relativeTo(fileURLToPath(url)) : null;
  return name !== null && /^(?:bin|src)\//.test(name) ? name : null;
}

function relativeTo(file: string): string | null {
  return file.startsWith(join(root, '/')) ? file.slice(root.length + 1).replaceAll('\\', '/') : null;
}
