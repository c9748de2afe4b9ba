/** Keys in the listener's terminal, on a real one: what they do, and that the terminal is given back as it was, however the listener ends. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runInside } from '../support/inside.ts';
import { freshHome, root } from '../support/spawn.ts';
import { onTerminal, openTerminal, type Terminal } from '../support/terminal.ts';
import { type App, openApp } from '../webhooks/support/stage.ts';

const home = freshHome();
const value = async (...args: string[]): Promise<string> => {
  const ended = await runInside(args, home.env);
  assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
  return ended.stdout.trim();
};
const trigger = (type: string): Promise<string> => value('webhooks', 'trigger', type, '--quiet');

before(() => value('sandbox', 'start', '--background', '--port', '0', '--seed', 'keys', '--quiet'));
after(async () => {
  await runInside(['sandbox', 'stop'], home.env);
  home[Symbol.dispose]();
});

/** Waits until the app has seen so many deliveries. */
async function seenBy(app: App, count: number): Promise<void> {
  while (app.seen.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function listening(app: App, { columns = 80, more = [] as string[] } = {}): Promise<Terminal> {
  const terminal = openTerminal(['webhooks', 'listen', '--forward', app.url.href, ...more], home.env, columns);
  await terminal.shows(/ready[^]*\? help {2}q quit/);
  return terminal;
}

const KEYS = /\? help {2}q quit/;

for (const columns of [60, 80, 120]) {
  test(`at ${columns} columns: help, pause, resume, again, filter, clear and quit; nothing typed is echoed`, async () => {
    const app = await openApp();
    const terminal = await listening(app, { columns });
    terminal.type('xyzXYZ12\u001b[A\u001b[B?');
    await terminal.shows(/q quit, as Ctrl-C does[^]*c clear the screen[^]*\? help/);
    terminal.type('p');
    await terminal.shows('PAUSED, 0 waiting  p resume');
    const paused = await trigger('decision.completed');
    await terminal.shows(new RegExp(`received .*${paused}[^]*PAUSED, 1 waiting`));
    assert.equal(app.seen.length, 0);
    terminal.type('p');
    await terminal.shows(new RegExp(`forwarded .*${paused} 200[^]*p pause`));
    terminal.type('r');
    await terminal.shows(new RegExp(`again .*${paused} 200`));
    assert.deepEqual(app.seen[1]?.body, app.seen[0]?.body, 'the same bytes');
    assert.equal(app.seen.length, 2);

    terminal.type('f');
    await terminal.shows('filter');
    terminal.type('paymenx\u007ft.*');
    await terminal.shows('payment.*');
    terminal.type('\r');
    await terminal.shows('filter payment.*, 0 hidden');
    const hidden = await trigger('decision.completed');
    const shown = await trigger('payment.settled');
    await terminal.shows(new RegExp(`forwarded .*${shown} 200`));
    await seenBy(app, 4);
    assert.ok(!terminal.text.includes(hidden), 'hidden lines are forwarded all the same');
    terminal.type('r');
    await terminal.shows(new RegExp(`again .*${shown} 200`));
    terminal.type('f\u0015\r');
    await terminal.shows(KEYS);
    terminal.type('cq');
    await terminal.shows(/closed +3 received, 3 forwarded/);
    assert.equal(await terminal.ended(), 0);

    assert.ok(terminal.raw.includes('\u001b[H\u001b[2J'), 'the screen was cleared');
    assert.doesNotMatch(terminal.text, /xyz|XYZ|\^\[/);
    // Before that stands the secret, which has to be in one piece to be copied.
    const lines = terminal.text.slice(terminal.text.indexOf('times at')).split('\n');
    for (const line of lines) assert.ok(line.length <= columns, `${line.length}: ${line}`);
  });
}

test('r while paused sends the newest one that waits; accepted, it is settled and not sent again', async () => {
  const app = await openApp();
  const terminal = await listening(app);
  terminal.type('p');
  await terminal.shows('PAUSED');
  const first = await trigger('decision.completed');
  await terminal.shows(new RegExp(`received .*${first}[^]*PAUSED, 1 waiting`));
  terminal.type('r');
  await terminal.shows(new RegExp(`again .*${first} 200`));
  terminal.type('p');
  await terminal.shows('p pause');
  const second = await trigger('payment.settled');
  await terminal.shows(new RegExp(`forwarded .*${second} 200`));
  terminal.type('q');
  await terminal.shows('closed');
  assert.equal(await terminal.ended(), 0);
  const ids = app.seen.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id);
  assert.deepEqual(ids, [first, second]);
  assert.doesNotMatch(terminal.text, /waiting$/m);
});

test('with --inspect the bar offers the page, and o opens it', async () => {
  const app = await openApp();
  const opener = join(home.env['HOME'] ?? '', 'xdg-open');
  writeFileSync(opener, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const env = { ...home.env, PATH: `${home.env['HOME']}:${home.env['PATH']}` };
  const terminal = openTerminal(['webhooks', 'listen', '--forward', app.url.href, '--inspect'], env);
  await terminal.shows('o page');
  terminal.type('o');
  await terminal.shows(/opened http:\/\/127\.0\.0\.1:\d+/);
  terminal.type('q');
  assert.equal(await terminal.ended(), 0);
});

test('off: without a terminal to read from, with --no-input, --json, --quiet, --field, and on a dumb terminal', async () => {
  const app = await openApp();
  for (const [more, ready] of [
    [['--no-input'], 'Ctrl-C ends'],
    [['--json'], '"type":"ready"'],
    [['--field', 'type'], 'ready'],
  ] as const) {
    const terminal = openTerminal(['webhooks', 'listen', '--forward', app.url.href, ...more], home.env);
    await terminal.shows(ready);
    terminal.type('q\u0003');
    assert.equal(await terminal.ended(), 0);
    assert.doesNotMatch(terminal.raw, /\? help/, more.join(' '));
  }
  const dumb = onTerminal(
    [
      'env',
      'TERM=dumb',
      process.execPath,
      join(root, 'bin', 'run.js'),
      'webhooks',
      'listen',
      '--forward',
      app.url.href,
    ],
    home.env,
  );
  await dumb.shows('Ctrl-C ends');
  dumb.type('\u0003');
  assert.equal(await dumb.ended(), 0);
  assert.doesNotMatch(dumb.raw, /\? help/);
});

/** A listener under a shell that then shows the modes of the terminal. */
function underShell(app: App, env: Record<string, string> = {}): Terminal {
  const listen = `'${process.execPath}' '${join(root, 'bin', 'run.js')}' webhooks listen --forward ${app.url.href}`;
  return onTerminal(['sh', '-c', `trap : INT; ${listen}; echo "status $?"; stty -a`], { ...home.env, ...env });
}

/** As a terminal is before a program changes it: lines, echo, and signals for keys. */
const AS_IT_WAS = '[^-]isig[^]*[^-]icanon[^]*[^-]echo ';

for (const [how, keys, status] of [
  ['q', 'q', 0],
  ['Ctrl-C', '\u0003', 0],
  ['two times Ctrl-C', '\u0003\u0003', 130],
] as const) {
  test(`after ${how} the terminal is as it was`, async () => {
    const terminal = underShell(await openApp());
    await terminal.shows(KEYS);
    terminal.type(keys);
    await terminal.shows(new RegExp(`status (?:0|${status})[^]*${AS_IT_WAS}`));
    await terminal.ended();
  });
}

test('after a crash, and after SIGTERM from another process, the terminal is restored', async () => {
  const file = join(home.env['HOME'] ?? '', 'pid');
  // The program has no crash to offer: this one comes with a signal, and its helper processes have none.
  const crash = `if (process.argv[1]?.endsWith('run.js')) {
    (await import('node:fs')).writeFileSync(${JSON.stringify(file)}, String(process.pid));
    process.on('SIGUSR2', () => { throw new Error('a crash'); });
  }`;
  for (const [signal, status] of [
    ['SIGUSR2', 'status 70'],
    ['SIGTERM', 'status 0'],
  ] as const) {
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(crash)}` };
    const terminal = underShell(await openApp(), env);
    await terminal.shows(KEYS);
    terminal.type('?');
    await terminal.shows('clear the screen');
    process.kill(Number(readFileSync(file, 'utf8')), signal);
    await terminal.shows(new RegExp(`${status}[^]*${AS_IT_WAS}`));
    await terminal.ended();
  }
});

test('Ctrl-Z gives the terminal to the shell, fg takes it back, and in the background the listener goes on without keys', async () => {
  const app = await openApp();
  const terminal = onTerminal(['sh', '-i'], { ...home.env, PS1: '$ ' });
  await terminal.shows('$ ');
  terminal.type(`'${process.execPath}' '${join(root, 'bin', 'run.js')}' webhooks listen --forward ${app.url.href}\r`);
  await terminal.shows(KEYS);
  terminal.type('\u001a');
  await terminal.shows('Stopped');
  terminal.type('stty -a\r');
  await terminal.shows(new RegExp(AS_IT_WAS));
  terminal.type('fg\r');
  await terminal.shows(KEYS);
  terminal.type('p');
  await terminal.shows('PAUSED');
  terminal.type('p');
  await terminal.shows('p pause');
  terminal.type('\u001a');
  await terminal.shows('Stopped');
  terminal.type('bg\r');
  const event = await trigger('decision.completed');
  await terminal.shows(new RegExp(`forwarded .*${event} 200`));
  terminal.type('stty -a; jobs\r');
  await terminal.shows(new RegExp(`${AS_IT_WAS}[^]*Running`));
  terminal.type('kill -INT %1; wait; exit\r');
  await terminal.shows(/closed +1 received, 1 forwarded/);
  await terminal.ended();
});

test('started in the background of a shell, it reads no keys and is not stopped', async () => {
  const app = await openApp();
  const terminal = onTerminal(['sh', '-i'], { ...home.env, PS1: '$ ' });
  await terminal.shows('$ ');
  const listen = `'${process.execPath}' '${join(root, 'bin', 'run.js')}' webhooks listen --forward ${app.url.href}`;
  terminal.type(`${listen} &\r`);
  await terminal.shows('Ctrl-C ends');
  const event = await trigger('decision.completed');
  await terminal.shows(new RegExp(`forwarded .*${event} 200`));
  terminal.type('jobs; kill -INT %1; wait; exit\r');
  await terminal.shows('Running');
  await terminal.shows(/closed +1 received/);
  await terminal.ended();
  assert.doesNotMatch(terminal.raw, /\? help/);
});
