/** Every resource of the API with the built program: each field as a flag, each question on a real terminal, each wait. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { type Ended, freshHome } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';

const home = freshHome();
let api: Served;
let env: Record<string, string>;

before(async () => {
  api = await serveSandbox({ host: '127.0.0.1', port: 0, seed: 'all', version: '0', now: Date.now, tier: 'scale' });
  const bin = join(home.path, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\nprintf '%s\\n' "$#" "$@" >> '${home.path}/opened'\n`);
  chmodSync(join(bin, 'xdg-open'), 0o755);
  env = { ...home.env, PATH: `${bin}:${home.env['PATH']}`, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url };
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

const run = (...args: string[]): Promise<Ended> => runInside(args, env);
async function made(...args: string[]): Promise<Record<string, unknown>> {
  const ended = await run(...args, '--json');
  assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}

const METADATA = ['--metadata', 'order=88421', '--metadata', 'shop=7=8'];
const BODIES: [args: string[], path: string, body: unknown][] = [
  [
    [
      ...['apps', 'create', '--company', 'sc000401', '--amount', '25,000.50', '--term', '24', '--purpose', 'stock'],
      ...['--email', 'ada@example.com', '--first-name', 'Ada', '--redirect-uri', 'https://yourapp.example/return'],
      ...['--reference', 'r', '--introduction-id', 'int_1', ...METADATA],
    ],
    '/applications',
    {
      business: { company_number: 'SC000401' },
      ...{ amount_pence: 2_500_050, term_months: 24, purpose: 'stock' },
      applicant: { email: 'ada@example.com', first_name: 'Ada' },
      ...{ redirect_uri: 'https://yourapp.example/return', reference: 'r', introduction_id: 'int_1' },
      metadata: { order: '88421', shop: '7=8' },
    },
  ],
  [
    ['decisions', 'refresh', 'dec_1', '--amount-pence', '2000000', '--term', '36'],
    '/decisions/dec_1/refresh',
    { amount_pence: 2_000_000, term_months: 36 },
  ],
  [
    [
      ...[
        'payments',
        'create',
        '--amount',
        '2,500',
        '--currency',
        'gbp',
        '--scheme',
        'direct_debit',
        '--reference',
        'r',
      ],
      ...['--application', 'app_1', '--mandate', 'mnd_1', ...METADATA],
    ],
    '/payments',
    {
      ...{ amount: 250_000, currency: 'GBP', scheme: 'direct_debit', reference: 'r' },
      ...{ application_id: 'app_1', mandate_id: 'mnd_1', metadata: { order: '88421', shop: '7=8' } },
    },
  ],
  [
    [
      ...[
        'payments',
        'link',
        '--amount-pence',
        '45000',
        '--reference',
        'r',
        '--payer-name',
        'Ada',
        '--payer-email',
        'a@b',
      ],
      ...[
        '--application',
        'app_1',
        '--redirect-uri',
        'http://localhost:3000/x',
        '--expires-at',
        '2999-01-01',
        ...METADATA,
      ],
    ],
    '/payments/links',
    {
      ...{ amount: 45_000, currency: 'GBP', reference: 'r', payer: { name: 'Ada', email: 'a@b' } },
      ...{ application_id: 'app_1', redirect_uri: 'http://localhost:3000/x', expires_at: '2999-01-01T00:00:00Z' },
      metadata: { order: '88421', shop: '7=8' },
    },
  ],
  [
    [
      ...['identity', 'check', '--first-name', 'Ada', '--last-name', 'Sample', '--date-of-birth', '1992-02-29'],
      ...[
        '--address-line1',
        '1 High St',
        '--address-city',
        'York',
        '--address-postcode',
        'YO1 1AA',
        '--address-country',
        'GB',
      ],
      ...['--email', 'a@b', '--company', '00000401', '--application', 'app_1', '--reference', 'r', ...METADATA],
    ],
    '/identity/checks',
    {
      subject: {
        ...{ first_name: 'Ada', last_name: 'Sample', date_of_birth: '1992-02-29' },
        address: { line1: '1 High St', city: 'York', postcode: 'YO1 1AA', country: 'GB' },
        ...{ email: 'a@b', company_number: '00000401' },
      },
      ...{ application_id: 'app_1', reference: 'r', metadata: { order: '88421', shop: '7=8' } },
    },
  ],
];

for (const [args, path, body] of BODIES) {
  test(`${args.slice(0, 2).join(' ')}: every field of the request is a flag`, async () => {
    const shown = await made(...args, '--dry-run');
    assert.deepEqual([shown['url'], shown['body']], [`${api.url}/partner/v1${path}`, body]);
  });
}

const MISTAKES: [args: string[], says: RegExp][] = [
  [['identity', 'check', '--first-name', 'A', '--last-name', 'B', '--date-of-birth', '1990-02-30'], /is not a date/],
  [['payments', 'link', '--amount', '1', '--reference', 'r', '--expires-at', '2001-01-01'], /is in the past/],
  [
    ['payments', 'link', '--amount', '1', '--reference', 'r', '--expires-at', '2999-01-01', '--expires-in', '7d'],
    /expires/,
  ],
  [['payments', 'create', '--amount', '1', '--currency', 'pounds'], /is not a currency/],
  [['payments', 'create'], /--amount is missing/],
  [['apps', 'create'], /--company is missing/],
  [['apps', 'create', '--company', '16093826', '--metadata', `${'k'.repeat(41)}=v`], /longer than 40/],
  [['apps', 'create', '--company', '16093826', '--metadata', `k=${'v'.repeat(501)}`], /longer than 500/],
  [
    ['apps', 'create', '--company', '16093826', ...Array.from({ length: 21 }, (_, n) => `--metadata=k${n}=v`)],
    /more than 20/,
  ],
  [['identity', 'check', '--last-name', 'B'], /--first-name is missing/],
  [['payments', 'list', '--application', 'a/b'], /is not an id/],
  [['apps', 'create', '--concurrency', '3', '--company', '16093826'], /--concurrency can only be used with --from/],
  [['apps', 'create', '--from', 'rows.csv', '--wait'], /--wait and --from cannot be used together/],
  [
    ['payments', 'create', '--amount', '1', '--amount-pence', '100'],
    /--amount-pence and --amount cannot be used together/,
  ],
  [['apps', 'get'], /ID is missing: application id/],
];

test('an impossible value is refused at its flag', async () => {
  for (const [args, says] of MISTAKES) {
    const ended = await run(...args);
    assert.deepEqual([ended.status, ended.stdout], [2, ''], args.join(' '));
    assert.match(ended.stderr, says);
  }
});

test('the life of an application, a payment and an account', async () => {
  const application = await made('apps', 'create', '--company', '16093826', '--wait');
  assert.equal(application['status'], 'approved');
  const id = String(application['id']);
  const refresh = await made('decisions', 'refresh', id, '--amount', '20000');
  assert.equal(refresh['refresh_status'], 'queued');
  await fetch(`${api.url}/_sandbox/applications/${id}/fund`, { method: 'POST' });
  const accounts = await made('accounts', 'list', '--application', id);
  const [account] = accounts['data'] as { id: string; status: string }[];
  assert.equal(account?.status, 'active');
  assert.equal((await made('accounts', 'get', account?.id ?? ''))['application_id'], id);
  const payment = await made('payments', 'create', '--amount', '10');
  assert.deepEqual([payment['status'], payment['scheme']], ['processing', 'pisp']);
  assert.equal((await made('payments', 'get', String(payment['id'])))['id'], payment['id']);
  const link = await made('payments', 'link', '--amount', '10', '--reference', 'r');
  assert.equal((await made('payments', 'links', 'get', String(link['id'])))['url'], link['url']);
  const settled = (await made('payments', 'list', '--application', id))['data'] as { status: string }[];
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['settled'],
  );
  const slow = await made('apps', 'create', '--company', '00000408');
  assert.equal((await made('apps', 'withdraw', String(slow['id'])))['status'], 'withdrawn');
  const again = await run('apps', 'submit', String(slow['id']));
  assert.equal(again.status, 1);
  assert.match(again.stderr, /state_conflict/);
});

test('waiting that ends in time prints the end once; waiting that does not, the last state and nothing else', async () => {
  const passed = await made(
    'identity',
    'check',
    '--first-name',
    'A',
    '--last-name',
    'B',
    '--date-of-birth',
    '1990-01-01',
    '--wait',
  );
  assert.equal(passed['status'], 'passed');
  const person = ['--first-name', 'A', '--last-name', 'Pending', '--date-of-birth', '1990-01-01'];
  for (const [args, last] of [
    [['identity', 'check', ...person, '--wait=700ms'], 'pending'],
    [['apps', 'create', '--company', '00000409', '--wait', '1200ms'], 'in_review'],
  ] as const) {
    const ended = await run(...args, '--json');
    assert.deepEqual([ended.status, ended.stdout], [8, ''], ended.stderr);
    const { error } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as {
      error: { kind: string; message: string; last: { id: string; status: string } };
    };
    assert.deepEqual([error.kind, error.last.status], ['pending', last]);
    assert.ok(error.message.includes(error.last.id), 'who was waited for is not lost');
  }
});

test('on a terminal missing values are asked for, and checked immediately', async () => {
  const terminal = openTerminal(['apps', 'create', '--json'], env);
  await terminal.shows('Companies House number');
  terminal.type('123\r');
  await terminal.shows('is not a Companies House number');
  terminal.type('\x7f\x7f\x7f16093826\r');
  await terminal.shows('What is it for?');
  terminal.type('\r');
  await terminal.shows('Amount in pounds');
  terminal.type('\r');
  await terminal.shows('Term in months');
  terminal.type('36\r');
  assert.equal(await terminal.ended(), 0);
  const [created] = (await made('apps', 'list', '--limit', '1'))['data'] as Record<string, unknown>[];
  assert.deepEqual([created?.['amount_pence'], created?.['term_months'], created?.['purpose']], [2_500_000, 36, null]);
});

test('apps create --company 16093826, as typed: two questions with their defaults, each checked in place, and the application', async () => {
  const terminal = openTerminal(['apps', 'create', '--company', '16093826'], env);
  await terminal.shows('Amount in pounds (25,000)');
  terminal.type('lots\r');
  await terminal.shows('"lots" is not an amount in pounds');
  terminal.type('\x1512,500.50\r');
  await terminal.shows('Term in months (12)');
  terminal.type('a year\r');
  await terminal.shows(/"a year" is not/);
  terminal.type('\x15\r');
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.match(terminal.text, /^id +app_\w+$/m);
  assert.match(terminal.text, /^amount_pence +£12,500\.50$/m);
  assert.match(terminal.text, /^term_months +12$/m);
  const scripted = await run('apps', 'create', '--company', '16093826');
  assert.equal(scripted.status, 0);
  assert.match(scripted.stdout, /^id\tapp_\w+\n[\s\S]*^amount_pence\t2500000$/m);
  assert.equal(scripted.stderr, 'using £25,000.00 over 12 months\n');
});

test('Ctrl-C at any question ends with 130, and nothing was made or kept', async () => {
  const count = async (): Promise<string> => (await run('apps', 'list', '--all', '-q')).stdout;
  const before = await count();
  const files = (): string[] =>
    readdirSync(home.path, { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.includes('.cache'))
      .sort();
  const kept = files();
  for (const [questions, words] of [
    [['Amount in pounds'], ['apps', 'create', '--company', '16093826']],
    [
      ['Amount in pounds', 'Term in months'],
      ['apps', 'create', '--company', '16093826'],
    ],
    [['First name'], ['identity', 'check']],
    [['Amount in pounds'], ['payments', 'link']],
  ] as const) {
    const terminal = openTerminal(words, env);
    for (const [at, question] of questions.entries()) {
      await terminal.shows(question);
      if (at < questions.length - 1) terminal.type('\r');
    }
    terminal.type('\x03');
    assert.equal(await terminal.ended(), 130, terminal.text);
    // The cursor is there again.
    assert.ok(terminal.raw.lastIndexOf('\u001b[?25h') >= terminal.raw.lastIndexOf('\u001b[?25l'));
  }
  assert.deepEqual([await count(), files()], [before, kept]);
});

test('on live the request is shown and confirmed before it is sent', async () => {
  const live = { ...home.env, CC_SECRET_KEY: 'sk_live_nobody' };
  const args = ['payments', 'create', '--amount', '2500', '--reference', 'INV-5512'];
  const terminal = openTerminal(args, live);
  await terminal.shows(/250000 pence = £2,500\.00[\s\S]*LIVE: create a payment of £2,500\.00\?/);
  terminal.type('n\r');
  assert.equal(await terminal.ended(), 2);
  assert.match(terminal.text, /nothing was sent/);
  const application = openTerminal(['apps', 'create', '--company', '16093826', '--email', 'a@b'], live);
  await application.shows('Amount in pounds');
  application.type('\r');
  await application.shows('Term in months');
  application.type('\r');
  await application.shows(
    /amount_pence +£25,000\.00\nterm_months +12\napplicant\.email +a@b\n[\s\S]*LIVE: create an application/,
  );
  application.type('\r');
  assert.equal(await application.ended(), 2, 'Enter alone is no');
  const create = await runInside(['apps', 'create', '--company', '16093826'], live);
  assert.equal(create.status, 2);
  assert.match(create.stderr, /on live, --amount and --term must be given/);
});

test('a link on a terminal: QR code, unit, expiry, browser', async () => {
  const terminal = openTerminal(['payments', 'link', '--amount', '450', '--reference', 'r', '--qr', '--open'], env);
  assert.equal(await terminal.ended(), 0);
  assert.match(terminal.text, /[█▀▄]{20}/);
  assert.match(terminal.text, /payment link for £450\.00 \(45000 pence\), expires \d{4}-/);
  assert.match(terminal.text, /amount +45000 pence = £450\.00/);
  const [words, url] = readFileSync(join(home.path, 'opened'), 'utf8').split('\n');
  assert.equal(words, '1');
  assert.ok(url?.startsWith(`${api.url}/pay/`));
  const piped = await run(
    'payments',
    'link',
    '--amount',
    '450',
    '--reference',
    'r',
    '--qr',
    '--open',
    '--field',
    'url',
  );
  assert.equal(piped.stdout.split('\n').length, 2, 'only the address goes into the pipe');
  assert.match(piped.stderr, /no terminal, so nothing is opened/);
});

test('a journey is opened on a terminal and otherwise printed', async () => {
  const id = String((await made('apps', 'create', '--company', '16093826'))['id']);
  const printed = await run('apps', 'open', id);
  assert.match(printed.stdout, /^http:\/\/127\.0\.0\.1:\d+\/apply\/s\/\w+\n$/);
  const terminal = openTerminal(['apps', 'open', id], env);
  assert.equal(await terminal.ended(), 0);
  assert.equal(readFileSync(join(home.path, 'opened'), 'utf8').trim().split('\n').at(-1), printed.stdout.trim());
});

test('help: grouped, units named, what is particular first', async () => {
  const { stdout } = await run('apps', 'create', '--help');
  const groups = [...stdout.matchAll(/^([A-Z]+ )?FLAGS$/gm)].map(([title]) => title);
  assert.deepEqual(groups, [
    ...['FLAGS', 'BUSINESS FLAGS', 'MONEY FLAGS', 'APPLICANT FLAGS', 'BULK FLAGS'],
    ...['WRITE FLAGS', 'GLOBAL FLAGS'],
  ]);
  for (const said of [/amount in pounds/, /amount in pence: 2500000 is £25,000\.00/, /term in months/, /status 8/])
    assert.match(stdout, said);
});
