import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BASE, bench, type Bench, type Reply } from './support.ts';

const path = (url: string): string => new URL(url).pathname;
const post = ({ bare }: Bench, at: string, headers: Record<string, string> = {}, body = ''): Promise<Reply> =>
  bare('POST', at, body, { 'content-type': 'application/x-www-form-urlencoded', ...headers });

test('the journey page shows the application, escaped, and guards itself', async () => {
  const one = bench({
    autoSubmit: false,
    companies: [
      {
        number: '11111111',
        name: `<script>alert("x")</script> & 'Sons'`,
        documented: false,
        effect: 'approve',
        outcome: 'approved',
        reason: null,
        notes: '',
      },
    ],
  });
  const { handoff_url: url } = (await one.create({ business: { company_number: '11111111' } })).json;
  const { status, text, headers } = await one.bare('GET', path(url));
  assert.equal(status, 200);
  assert.match(text, /&lt;script&gt;alert\(&quot;x&quot;\)&lt;\/script&gt; &amp; &#39;Sons&#39;/);
  assert.doesNotMatch(text, /<script/i);
  assert.doesNotMatch(text, /http-equiv="refresh"/);
  assert.match(text, /£25,000\.00/);
  assert.match(text, /<html lang="en-GB">/);
  assert.match(text, /Sandbox/);
  assert.deepEqual(
    ['content-security-policy', 'referrer-policy', 'x-frame-options', 'cache-control'].map((name) => headers.get(name)),
    [
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' https://yourapp.example",
      'no-referrer',
      'DENY',
      'no-store',
    ],
  );
  assert.match(headers.get('credicorp-request-id') ?? '', /^req_/);
  // Without it browsers send `Origin: null` with the page's own forms, which the guard refuses: seen in Chromium.
  assert.match(text, /<meta name="referrer" content="same-origin" \/>/);
});

test('a return URL whose host holds a semicolon or a comma adds nothing to the policy', async () => {
  const one = bench({ autoSubmit: false });
  for (const redirect_uri of ['https://a;script-src/x', 'https://a,default-src/x']) {
    const { handoff_url: url } = (await one.create({ redirect_uri })).json;
    const { headers } = await one.bare('GET', path(url));
    const policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";
    assert.equal(headers.get('content-security-policy'), policy);
  }
});

test('completing submits and goes back to the partner; a second time is harmless', async () => {
  const one = bench({ autoSubmit: false });
  const { id, handoff_url: url } = (await one.create({ redirect_uri: 'https://yourapp.example/return?keep=1' })).json;
  const left = await post(one, `${path(url)}/leave`);
  assert.equal(
    left.headers.get('location'),
    `https://yourapp.example/return?keep=1&application_id=${id}&status=created`,
  );
  const done = await post(one, `${path(url)}/complete`);
  assert.equal(done.status, 303);
  assert.equal(
    done.headers.get('location'),
    `https://yourapp.example/return?keep=1&application_id=${id}&status=submitted`,
  );
  assert.match((await one.bare('GET', path(url))).text, /<meta http-equiv="refresh" content="1" \/>/);
  await one.advance('1s');
  const again = await post(one, `${path(url)}/complete`);
  assert.match(again.headers.get('location') ?? '', /status=approved$/);
  assert.doesNotMatch((await one.bare('GET', path(url))).text, /Complete the application/);
});

test('without a return address the journey goes back to its page', async () => {
  const one = bench({ autoSubmit: false });
  const { handoff_url: url } = (await one.create({ redirect_uri: undefined })).json;
  assert.equal((await post(one, `${path(url)}/complete`)).headers.get('location'), path(url));
  assert.doesNotMatch((await one.bare('GET', path(url))).text, /Back to the partner/);
});

test('a page of another origin cannot act, and an unknown token opens nothing', async () => {
  const one = bench({ autoSubmit: false });
  const { id, handoff_url: url } = (await one.create()).json;
  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:9999']) {
    assert.equal((await post(one, `${path(url)}/complete`, { origin })).status, 403, origin);
  }
  assert.equal((await one.call('GET', `/partner/v1/applications/${id}`)).json.status, 'created');
  assert.equal((await post(one, `${path(url)}/complete`, { origin: BASE })).status, 303);
  const unknown = await one.bare('GET', '/apply/s/nothing');
  assert.equal(unknown.status, 404);
  assert.match(unknown.headers.get('content-type') ?? '', /^text\/html/);
  assert.equal((await post(one, '/pay/nothing/pay')).status, 404);
});

async function link(one: Bench, fields: object = {}): Promise<{ id: string; at: string; status(): Promise<string> }> {
  const { json } = await one.call('POST', '/partner/v1/payments/links', {
    amount: 45_000,
    reference: 'INV <1>',
    ...fields,
  });
  const status = async (): Promise<string> =>
    (await one.call('GET', `/partner/v1/payments/links/${json.id}`)).json.status;
  return { id: json.id, at: path(json.url), status };
}

test('the payment page takes a payment once and goes back', async () => {
  const one = bench();
  const { id, at, status } = await link(one, { redirect_uri: 'https://shop.example/done' });
  const shown = await one.bare('GET', at);
  assert.match(shown.text, /Credicorp sandbox/);
  assert.match(shown.text, /INV &lt;1&gt;/);
  assert.equal(shown.text.match(/<button/g)?.length, 3);
  const paid = await post(one, `${at}/pay`);
  assert.equal(paid.headers.get('location'), `https://shop.example/done?payment_link_id=${id}&status=paid`);
  assert.equal(await status(), 'paid');
  const again = await post(one, `${at}/pay`);
  assert.equal(again.status, 409);
  assert.doesNotMatch(again.text, /<button/);
  const { data } = (await one.call('GET', '/partner/v1/payments')).json;
  assert.deepEqual([data.length, data[0].payment_link_id, data[0].scheme], [1, id, 'pisp']);
});

test('a payment can fail with a code, and a link can be cancelled', async () => {
  const one = bench();
  const { at, status } = await link(one);
  assert.equal((await post(one, `${at}/fail`, {}, 'failure_code=technical_error')).headers.get('location'), at);
  assert.equal(await status(), 'open');
  assert.match((await one.bare('GET', at)).text, /Failed: technical error/);
  await post(one, `${at}/fail`);
  const { data } = (await one.call('GET', '/partner/v1/payments')).json;
  assert.deepEqual(
    data.map(({ failure_code }: { failure_code: string }) => failure_code),
    ['insufficient_funds', 'technical_error'],
  );
  await post(one, `${at}/cancel`);
  assert.equal(await status(), 'cancelled');
  assert.equal((await post(one, `${at}/pay`)).status, 409);
});

test('the front page says what the ready line says', async () => {
  const { text, status } = await bench().bare('GET', '/');
  assert.equal(status, 200);
  for (const word of [BASE, 'cid_sbx_local', 'csk_sbx_local', 'sk_test_local', 'ci'])
    assert.ok(text.includes(word), word);
});
