import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { carriesSecret, redactBody, redactHeaders, redactText } from '../../src/lib/contract/secrets.ts';

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjaWRfc2J4In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ';
const MAC = '1e6319233fbc5dfb71232926847d0b2cfe1090ca5a4f4965992d466f7cf082cb';

describe('redactText, row by row', () => {
  const rows: [what: string, text: string, clean: string][] = [
    ['secret key', 'key sk_live_abc-123 used', 'key sk_live_[redacted] used'],
    ['test key', 'sk_test_EXAMPLE_NOT_A_KEY', 'sk_test_[redacted]'],
    ['secret key of no mode', 'sk_9f8e7d6c', 'sk_[redacted]'],
    ['publishable key', 'pk_live_abc123', 'pk_live_[redacted]'],
    ['client secret', 'csk_sbx_local', 'csk_sbx_[redacted]'],
    ['webhook secret', 'whsec_MfKQ9r8G+KYq/rTwj==', 'whsec_[redacted]'],
    ['key after an escape', String.raw`line\nsk_live_abc123`, String.raw`line\nsk_live_[redacted]`],
    ['key after a percent escape', 'u=https%3A%2F%2Fx%3Fk%3Dsk_live_abc', 'u=https%3A%2F%2Fx%3Fk%3Dsk_live_[redacted]'],
    ['key in a variable', 'MY_sk_live_abc123', 'MY_sk_live_[redacted]'],
    ['jwt', `got ${JWT} back`, 'got [redacted] back'],
    ['unsigned jwt', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.', '[redacted]'],
    ['bearer', 'sent Bearer EXAMPLE.ACCESS.TOKEN today', 'sent Bearer [redacted] today'],
    ['bearer, small', 'bearer a1b2c3', 'bearer [redacted]'],
    ['bearer with a key', 'Bearer sk_test_abc', 'Bearer sk_test_[redacted]'],
    ['header line', 'Authorization: Bearer abc def\r\nHost: x', 'Authorization: Bearer [redacted]\r\nHost: x'],
    ['header line of one word', 'authorization: Opaque1', 'authorization: [redacted]'],
    ['curl', `curl -H 'Authorization: Bearer zzz9' x`, `curl -H 'Authorization: Bearer [redacted]' x`],
    ['curl with a variable', `-H "Authorization: Bearer $CC_TOKEN"`, `-H "Authorization: Bearer $CC_TOKEN"`],
    ['basic', 'Basic Y2lkX3NieDpjc2tfc2J4', 'Basic [redacted]'],
    [
      'form',
      'grant_type=client_credentials&client_secret=p%26q&scope=a',
      'grant_type=client_credentials&client_secret=[redacted]&scope=a',
    ],
    ['form, nested', 'body=client_secret%3Dabc123%26x%3D1', 'body=client_secret%3D[redacted]%26x%3D1'],
    ['variable', 'CC_CLIENT_SECRET=hunter22 npm test', 'CC_CLIENT_SECRET=[redacted] npm test'],
    ['json', '{"client_secret":"a\\"b","id":"x"}', '{"client_secret":"[redacted]","id":"x"}'],
    [
      'json, spaced',
      '{"access_token" : "abc", "expires_in": 3600}',
      '{"access_token" : "[redacted]", "expires_in": 3600}',
    ],
    [
      'json, camel',
      '{"clientSecret":"abc","accessToken":"def"}',
      '{"clientSecret":"[redacted]","accessToken":"[redacted]"}',
    ],
    ['json, webhook endpoint', '{"id":"we_1","secret":"plain-value"}', '{"id":"we_1","secret":"[redacted]"}'],
    ['json, number', '{"token":123456,"a":1}', '{"token":"[redacted]","a":1}'],
    ['json, list', '{"secret":["a]","b"],"c":1}', '{"secret":"[redacted]","c":1}'],
    ['json, object', '{"token":{"value":"x}y"},"c":1}', '{"token":"[redacted]","c":1}'],
    ['json, null', '{"secret":null,"c":1}', '{"secret":null,"c":1}'],
    [
      'json in json',
      JSON.stringify({ body: '{"client_secret":"a\\"b","c":1}' }),
      JSON.stringify({ body: '{"client_secret":"[redacted]","c":1}' }),
    ],
    [
      'json in json, list',
      JSON.stringify({ body: '{"token":["x"],"c":1}' }),
      JSON.stringify({ body: '{"token":"[redacted]","c":1}' }),
    ],
    [
      'json, percent-encoded',
      '%22client_secret%22%3A%22abc%22%2C%22a%22',
      '%22client_secret%22%3A%22[redacted]%22%2C%22a%22',
    ],
    ['json, cut off', '{"access_token":"abc', '{"access_token":"[redacted]'],
    ['inspected object', "{ client_secret: 'abc' }", "{ client_secret: '[redacted]' }"],
    ['pisp token', '{"pisp":{"access_token":"ptk-12"}}', '{"pisp":{"access_token":"[redacted]"}}'],
    ['password', 'password=abc123', 'password=[redacted]'],
    [
      'signature header',
      `credicorp-signature: t=1719660000,v1=${MAC},v1=${MAC}`,
      'credicorp-signature: t=1719660000,v1=[redacted],v1=[redacted]',
    ],
    ['query key', 'GET /x?key=abc&limit=2', 'GET /x?key=[redacted]&limit=2'],
    ['query token', '/x?access_token=abc&f=1', '/x?access_token=[redacted]&f=1'],
    ['user information', 'https://user:pa:ss@host/x', 'https://user:[redacted]@host/x'],
    ['user information, key only', 'https://abc@host/x', 'https://[redacted]@host/x'],
    [
      'private key',
      '-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----',
      '-----BEGIN EC PRIVATE KEY-----[redacted]-----END EC PRIVATE KEY-----',
    ],
  ];
  for (const [what, text, clean] of rows) {
    it(what, () => {
      assert.equal(redactText(text), clean);
      assert.equal(redactText(clean), clean, 'a second pass changes nothing');
    });
  }
});

describe('redactText leaves alone', () => {
  const rows = [
    'req_7Hs2bV9k4LmQ app_8Kd2c9Qm evt_01HXYZ dec_5H2N8kQz plink_2Vn8Rk0s whd_1 acc_1Jx6Pz3T idc_4Wm9Xb2Q',
    '{"id":"app_8Kd2c9Qm","request_id":"req_7Hs2bV9k4LmQ","next_cursor":"eyJpZCI6ImFwcF84S2QyYzlRbSJ9"}',
    '{"error":{"code":"invalid_token","message":"the token is not valid"},"error_code":"missing_api_key"}',
    'missing_api_key: no Authorization header was sent',
    'bad signature: stale_timestamp',
    'WWW-Authenticate: Bearer realm="credicorp", error="invalid_token"',
    'basic authentication needs a client id; the bearer token is missing',
    'access token: expired, secret: not stored',
    'risk_score=12 task_id=4 disk_usage=7 "token_type":"Bearer","expires_in":3600',
    '{"previous_secret_expires_at":"2026-07-04T09:00:00Z","authorization_endpoint":"https://sso.credicorp.co.uk/a"}',
    'idempotency-key: 0b2f5a0e-6a1e-4a52-9d3e-2f8f0f6d8f11',
    'a key that begins with sk_live_ or csk_',
    'http://127.0.0.1:4010/apply/s/3fa7Qm2Zt8Wc1LrX5nYv0BdE me@example.com',
    '{"authorization":null,"cookie":[]}',
  ];
  for (const text of rows) it(text.slice(0, 60), () => assert.equal(redactText(text), text));
});

describe('known values', () => {
  const secret = 'p"4 \\s/wörd+1';
  const json = JSON.stringify(secret).slice(1, -1);
  const spellings: [string, string][] = [
    ['as it is', secret],
    ['in JSON', json],
    ['in JSON in JSON', JSON.stringify(json).slice(1, -1)],
    ['percent-encoded', encodeURIComponent(secret)],
    ['in a form', new URLSearchParams({ v: secret }).toString().slice(2)],
    ['base64', Buffer.from(secret).toString('base64')],
    ['basic credential', Buffer.from(`cid_sbx_1:${secret}`).toString('base64')],
    ['base64url behind one byte', Buffer.from(`x${secret}`).toString('base64url')],
  ];
  for (const [what, text] of spellings) {
    it(what, () => {
      const clean = redactText(`a ${text} b`, [secret]);
      assert.match(clean, /^a .*\[redacted\].* b$/);
      for (const [, other] of spellings) assert.ok(!clean.includes(other.slice(2, -3)), clean);
    });
  }

  it('keeps the prefix of a known key, takes the longest first, and follows a list that grows', () => {
    const known = ['csk_live_ab%cd!', 'csk_live_ab%cd!ef'];
    assert.equal(redactText('x=csk_live_ab%cd!ef;', known), 'x=csk_live_[redacted];');
    known.push('later-value');
    assert.equal(redactText('later-value', known), '[redacted]');
  });

  it('does not take ordinary words with a value too short to be a credential', () => {
    assert.equal(redactText('a cat sat', ['a', '', 'cat']), 'a cat sat');
  });
});

describe('redactHeaders', () => {
  it('removes the values of credential headers whatever they look like', () => {
    assert.deepEqual(
      redactHeaders(
        {
          Authorization: 'Bearer word',
          'proxy-authorization': 'weird',
          Cookie: 'sid=1',
          'x-api-key': 'word',
          'x-access-token': 'word',
          'Credicorp-Signature': `t=12,v1=short,v0=${MAC}`,
          'x-webhook-signature': MAC,
          'idempotency-key': 'pay-2026-06-29-inv-5512',
          'credicorp-request-id': 'req_7Hs2bV9k4LmQ',
          'x-note': 'live-value-1',
        },
        ['live-value-1'],
      ),
      {
        Authorization: 'Bearer [redacted]',
        'proxy-authorization': '[redacted]',
        Cookie: '[redacted]',
        'x-api-key': '[redacted]',
        'x-access-token': '[redacted]',
        'Credicorp-Signature': 't=12,v1=[redacted],v0=[redacted]',
        'x-webhook-signature': '[redacted]',
        'idempotency-key': 'pay-2026-06-29-inv-5512',
        'credicorp-request-id': 'req_7Hs2bV9k4LmQ',
        'x-note': '[redacted]',
      },
    );
  });
});

describe('redactBody', () => {
  it('never leaves half a secret at the cut, wherever the cut falls', () => {
    const secret = 'live value with-spaces_and%signs';
    const body = `{"a":"${'x'.repeat(20)}","client_secret":"half1secret2value3","n":"${secret}","u":"https://joe:pazzword9@h","j":"${JWT}","end":1}`;
    for (let limit = 1; limit <= body.length; limit += 1) {
      const clean = redactBody(body, limit, [secret]);
      assert.doesNotMatch(clean, /half1|live v|pazz|bGciOiJF/);
      assert.ok(clean.length <= limit + 120);
    }
  });

  it('says how long the body was', () => {
    assert.equal(redactBody('one two three', 8), 'one two …[cut: 13 characters in all]');
    assert.equal(redactBody('one two', 8), 'one two');
  });
});

describe('carriesSecret', () => {
  it('distinguishes a secret from a placeholder and from a publishable key', () => {
    assert.equal(carriesSecret('{"profile":"local","base":"http://127.0.0.1:4010"}'), false);
    assert.equal(carriesSecret('{"publishable":"pk_live_abc"}'), false);
    assert.equal(carriesSecret('{"client_secret":"$CC_CLIENT_SECRET"}'), false);
    assert.equal(carriesSecret('{"profile":"x","client_secret":"abc"}'), true);
    assert.equal(carriesSecret('sk_test_abc'), true);
    assert.equal(carriesSecret('{"note":"whsec_abcdef"}'), true);
  });
});

describe('planted secrets', () => {
  const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789-_';
  const tail = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 12, maxLength: 60 });
  const plain = fc.array(
    fc.constantFrom('amount_pence', '25', ' ', '\n', '"', '\\', '{', '&', '=', 'token', 'é', '%3D', 'Bearer'),
    { maxLength: 12 },
  );
  const shapes: ((value: string) => string)[] = [
    (value) => `sk_live_${value}`,
    (value) => `csk_sbx_${value}`,
    (value) => `whsec_${value}`,
    (value) => `Bearer 1${value}`,
    (value) => `eyJhbGciOiJFUzI1NiJ9.${value}.${value}`,
    (value) => `Basic ${Buffer.from(`id:${value}`).toString('base64')}`,
    (value) => `client_secret=${value}&x=1`,
    (value) => JSON.stringify({ access_token: value }),
    (value) => JSON.stringify({ deep: [{ webhook_secret: value }] }),
    (value) => JSON.stringify(JSON.stringify({ client_secret: value })),
    (value) => JSON.stringify(JSON.stringify(JSON.stringify({ secret: value, a: '"' }))),
    (value) => `https://user:${value}@host/`,
    (value) => `https://host/?key=${value}`,
    (value) => `Credicorp-Signature: t=1,v1=${value}${value}`,
  ];

  it('are gone, whatever stands round them, and a second pass changes nothing', () => {
    fc.assert(
      fc.property(plain, plain, tail, fc.nat(shapes.length - 1), (before, after, value, shape) => {
        const planted = shapes[shape]?.(value) ?? '';
        const clean = redactText(`${before.join('')} ${planted} ${after.join('')}`);
        assert.ok(!clean.includes(value), clean);
        assert.ok(!clean.includes(Buffer.from(value).toString('base64').slice(4, -6)), clean);
        assert.equal(redactText(clean), clean);
      }),
      { numRuns: 2000 },
    );
  });

  it('known values of any letters are gone from any text in any spelling', () => {
    const secret = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 40 }).filter((value) => value.length >= 8);
    const spell = fc.constantFrom<(value: string) => string>(
      (value) => value,
      (value) => encodeURIComponent(value),
      (value) => JSON.stringify({ a: value }),
      (value) => Buffer.from(value).toString('base64'),
    );
    fc.assert(
      fc.property(secret, spell, fc.string(), fc.string(), (value, write, before, after) => {
        const written = write(value);
        const clean = redactText(`${before}${written}${after}`, [value]);
        assert.ok(!clean.includes(value) || redactText(`${before}${after}`).includes(value), clean);
      }),
    );
  });

  it('request ids, event ids and resource ids stay', () => {
    const id = fc.tuple(
      fc.constantFrom('req', 'evt', 'app', 'dec', 'pay', 'plink', 'idc', 'acc', 'we', 'whd'),
      fc.stringMatching(/^[A-Za-z0-9]{6,12}$/),
    );
    fc.assert(
      fc.property(id, tail, fc.nat(shapes.length - 1), ([kind, rest], value, shape) => {
        const text = `${kind}_${rest} ${shapes[shape]?.(value)} {"id":"${kind}_${rest}"} /v1/x/${kind}_${rest}`;
        assert.equal(redactText(text).split(`${kind}_${rest}`).length, 4);
      }),
    );
  });
});
