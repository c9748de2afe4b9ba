/** Shell lines as users write them, run by bash against the packed program. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { unpacked } from '../support/packed.ts';
import { type Ended, finish, freshHome, root } from '../support/spawn.ts';

const home = freshHome();
let api: Served;
let requests = 0;

before(async () => {
  api = await serveSandbox({
    ...{ host: '127.0.0.1', port: 0, seed: 'pipes', version: '0', now: Date.now },
    ...{ tier: 'scale', rateLimit: false, record: () => (requests += 1) },
  });
  const folder = join(home.path, 'packed');
  mkdirSync(folder);
  const bin = unpacked(folder);
  Object.assign(home.env, { PATH: `${bin}:${home.env['PATH']}`, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url });
  await api.sandbox.fetch(new Request(`${api.url}/_sandbox/health`), { address: '127.0.0.1' });
  for (let n = 0; n < 30; n += 1) await create(n % 10 === 3 ? '00000403' : '16093826');
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

async function create(company: string): Promise<void> {
  const body = JSON.stringify({ amount_pence: 2_500_000, term_months: 12, business: { company_number: company } });
  const headers = { authorization: 'Bearer sk_test_local' };
  const answer = await fetch(`${api.url}/partner/v1/applications`, { method: 'POST', body, headers });
  assert.equal(answer.status, 201);
}

function bash(script: string): Promise<Ended> {
  const child = spawn('bash', ['-o', 'pipefail', '-c', script], { env: home.env, stdio: ['pipe', 'pipe', 'pipe'] });
  return finish(child);
}

/** @param status expected of the whole line */
async function line(script: string, status = 0): Promise<string> {
  const ended = await bash(script);
  assert.equal(ended.status, status, `${script}\n${ended.stdout}\n${ended.stderr}`);
  return ended.stdout;
}

test('it is the packed program that runs', async () => {
  const place = '"$(dirname "$(command -v credicorp)")/../package"';
  assert.equal(await line(`test -f ${place}/dist/main.js -a ! -e ${place}/src; echo $?`), '0\n');
});

test('into jq, into a variable, into a loop', async () => {
  assert.equal(
    await line('credicorp apps create --company 16093826 --json | jq -r .business.company_number'),
    '16093826\n',
  );
  assert.match(await line('id=$(credicorp apps create --company 16093826 --field id); echo "<$id>"'), /^<app_\w+>\n$/);
  assert.equal(
    await line(
      'while IFS=$\'\\t\' read -r id status amount rest; do echo "$amount"; done < <(credicorp apps list --limit 2)',
    ),
    '2500000\n2500000\n',
  );
});

test('ids from a pipe: lines, NDJSON, xargs', async () => {
  await line('credicorp decisions get --wait -q "$(credicorp apps list --limit 1 -q)"');
  const outcomes =
    'credicorp apps list --all --json | jq -c \'select(.status!="created")\' | credicorp decisions get - --wait --json | jq -r .outcome | sort | uniq -c';
  assert.match(await line(outcomes), /\d+ approved\n\s+3 declined\n/);
  const [ids, same] = [
    await line('credicorp apps list --all -q'),
    await line('credicorp apps list --all -q | credicorp apps get - -q'),
  ];
  assert.equal(same, ids, 'in the order they came in');
  const many = await line('credicorp apps list --limit 8 -q | xargs -P4 -n1 credicorp apps get --field status | wc -l');
  assert.equal(many.trim(), '8');
});

test('one wrong id among many: reported, the others done, the exit status of the worst', async () => {
  const ended = await bash(
    '{ credicorp apps list --limit 1 -q; echo app_00000000; credicorp apps list --limit 1 -q; } | credicorp apps get - -q',
  );
  assert.deepEqual([ended.status, ended.stdout.split('\n').length], [3, 3]);
  assert.match(ended.stderr, /app_00000000/);
  assert.equal((await bash('echo "not an id" | credicorp apps get -')).status, 2);
  assert.match(
    (await bash('echo \'{"no":1}\' | credicorp apps get -')).stderr,
    /line 1 of stdin: the object has no id/,
  );
});

test('a reader that leaves early ends the list, which stops asking', async () => {
  requests = 0;
  const first = await line('credicorp apps list --all --limit 1 -q | head -1');
  assert.match(first, /^app_\w+\n$/);
  assert.ok(requests < 20, `${requests} requests for one line`);
  const all = await line('credicorp apps list --all -q | wc -l');
  assert.ok(Number(all) >= 30);
});

test('scripts that stop on errors branch on the status', async () => {
  const script = (company: string): string => `set -euo pipefail
id=$(credicorp apps create --company ${company} --field id)
if credicorp decisions get "$id" --wait --exit-status --quiet >/dev/null; then echo yes; else echo "no $?"; fi
credicorp apps get app_00000000 2>/dev/null || echo "gone $?"
credicorp apps get app_00000000 2>/dev/null
echo never`;
  assert.equal(await line(script('16093826'), 3), 'yes\ngone 3\n');
  assert.equal(await line(script('00000403'), 3), 'no 9\ngone 3\n');
});

test('what a dry run prints, pasted into a shell, makes the call', async () => {
  const dry =
    'credicorp apps create --company 16093826 --reference "it\'s order 7" --amount 25000 --term 12 --metadata a=b --dry-run';
  const shown = JSON.parse(await line(`${dry} --json`)) as { url: string; headers: Record<string, string> };
  assert.match(shown.headers['Idempotency-Key'] ?? '', /^[0-9a-f-]{36}$/);
  // The curl line is for a terminal, and `script` is one.
  const curl = (await line(`script -qec '${dry.replaceAll("'", "'\\''")} --no-color' /dev/null`)).replaceAll('\r', '');
  assert.match(curl, /^using|^curl/m);
  const pasted = curl.slice(curl.indexOf('curl'));
  const [once, twice] = [JSON.parse(await line(pasted)), JSON.parse(await line(pasted))] as Record<string, unknown>[];
  assert.deepEqual([once?.['reference'], once?.['metadata']], ["it's order 7", { a: 'b' }]);
  assert.equal(once?.['id'], twice?.['id'], 'pasted twice it still acts once');
});

test('docs/bulk.md: its lines work, one after another', async () => {
  const page = readFileSync(join(root, 'docs', 'bulk.md'), 'utf8');
  const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  assert.equal(blocks.length, 2);
  assert.equal(await line(`cd '${home.path}' && set -eu\n${blocks.join('')}`), 'approved\napproved\ntrue\ntrue\n');
});

test('bulk in a pipe: rows in, ids out', async () => {
  const rows = 'company,reference\\n16093826,r1\\n00000403,r2\\n';
  const flow = `printf '${rows}' | credicorp apps create --from - --json | jq -r .id | credicorp decisions get - --wait --field outcome`;
  assert.equal(await line(flow), 'approved\ndeclined\n');
});
