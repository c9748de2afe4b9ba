/** Behind the proxy of a company, with the built program: token and call through one way it opened, or past it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freshHome, runScript } from '../support/spawn.ts';
import { connectProxy, tlsHost } from '../support/tls.ts';

const home = freshHome();
const came: string[] = [];
let host: Awaited<ReturnType<typeof tlsHost>>;
let company: Awaited<ReturnType<typeof connectProxy>>;
let env: Record<string, string>;

before(async () => {
  host = await tlsHost(home.path, (request, response) => {
    came.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    const grant = { access_token: 'a.b.c', token_type: 'Bearer', expires_in: 3600 };
    const page = {
      data: [{ id: 'app_1', status: 'created', amount_pence: 100000, term_months: 12 }],
      has_more: false,
      next_cursor: null,
    };
    const known = request.url?.startsWith('/partner') === true;
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(request.method === 'POST' ? grant : known ? page : {}));
  });
  company = await connectProxy();
  env = {
    ...home.env,
    NODE_EXTRA_CA_CERTS: host.cert,
    HTTPS_PROXY: `http://joe:p%20w@127.0.0.1:${company.port}`,
    CC_CLIENT_ID: 'cid_sbx_x',
    CC_CLIENT_SECRET: 'csk_sbx_company',
    CC_BASE: `https://localhost:${host.port}`,
  };
});
after(() => {
  company.close();
  host.close();
  home[Symbol.dispose]();
});

const list = (more: Record<string, string> = {}) =>
  runScript('bin/run.js', ['apps', 'list', '--quiet', '--max-retries', '0', '--debug'], { ...env, ...more });

test('discovery, token and call go through one way, which its credentials opened; the host sees none of them', async () => {
  const listed = await list();
  assert.deepEqual([listed.status, listed.stdout], [0, 'app_1\n'], listed.stderr);
  assert.deepEqual(company.asked.splice(0), [`localhost:${host.port} Basic ${btoa('joe:p w')}`]);
  assert.deepEqual(came.splice(0), [
    'GET /.well-known/oauth-authorization-server',
    'POST /partner/v1/oauth/token',
    'GET /partner/v1/applications',
  ]);
  assert.doesNotMatch(listed.stderr, /p%20w|p w|csk_sbx_company/);
});

test('the spelling in lower case counts too; NO_PROXY goes past it', async () => {
  const { HTTPS_PROXY: address = '', ...without } = env;
  const lower = await runScript('bin/run.js', ['apps', 'list', '-q'], { ...without, https_proxy: address });
  assert.deepEqual([lower.stdout, company.asked.splice(0).length], ['app_1\n', 1], lower.stderr);
  for (const more of [{ NO_PROXY: 'localhost' }, { no_proxy: '.example,localhost' }, { NO_PROXY: '*' }])
    assert.deepEqual([(await list(more)).stdout, company.asked.length], ['app_1\n', 0], JSON.stringify(more));
});

test('a proxy that refuses is named, and nothing goes round it', async () => {
  came.splice(0);
  company.refuse();
  const refused = await list();
  assert.deepEqual([refused.status, refused.stdout, came], [6, '', []]);
  assert.match(refused.stderr, /proxy refused the connection \(407\)/);
  const odd = await list({ HTTPS_PROXY: 'no address' });
  assert.deepEqual([odd.status, came], [2, []]);
  assert.match(odd.stderr, /correct HTTPS_PROXY/);
});
