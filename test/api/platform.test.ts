import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { platformStatus } from '../../src/lib/api/platform.ts';
import type { HttpAnswer, Send } from '../../src/lib/contract/exchange.ts';
import { Failure } from '../../src/lib/failure.ts';

type Said = [status: number, body: unknown] | Failure;
const limits = { timeoutMs: 1000, signal: new AbortController().signal };

/** What was asked, and a host that says this. */
function host(health: Said, status: Said): { send: Send; asked: string[] } {
  const asked: string[] = [];
  const send: Send = async ({ url, headers }): Promise<HttpAnswer> => {
    asked.push(`${url} ${Object.keys(headers).join()}`);
    const said = url.endsWith('/healthz') ? health : status;
    if (said instanceof Failure) throw said;
    const [code, body] = said;
    return { status: code, headers: {}, text: typeof body === 'string' ? body : JSON.stringify(body) };
  };
  return { send, asked };
}

const OK: Said = [200, { status: 'ok' }];
const away = new Failure('unavailable', 'no answer from x: the connection was refused');
const parts = (banner: string, ...statuses: string[]): Said => [
  200,
  { status: banner, components: statuses.map((status, n) => ({ name: `part${n}`, status })) },
];

describe('platform status', () => {
  const rows: [what: string, health: Said, status: Said, judged: string, reason: RegExp | null][] = [
    ['all is well', OK, parts('operational', 'operational', 'operational'), 'operational', null],
    [
      'the worst component decides, not the banner',
      OK,
      parts('operational', 'operational', 'degraded'),
      'degraded',
      /^part1 degraded$/,
    ],
    ['a word nobody knows counts as degraded', OK, parts('operational', 'on_fire'), 'degraded', /on_fire/],
    ['a worse banner is believed', OK, parts('degraded', 'operational'), 'degraded', /platform degraded/],
    ['a banner alone', OK, [200, { status: 'operational' }], 'operational', null],
    ['health says no', [503, ''], parts('operational', 'operational'), 'down', /503/],
    ['health does not answer', away, away, 'down', /refused/],
    ['status does not answer', OK, away, 'degraded', /refused/],
    ['status is not JSON', OK, [200, '<html>'], 'degraded', /cannot be read/],
    ['status is another document', OK, [200, [1, 2]], 'degraded', /cannot be read/],
    ['health is not offered, status is', [404, ''], parts('operational', 'operational'), 'operational', null],
  ];
  for (const [what, health, status, judged, reason] of rows) {
    it(what, async () => {
      const { send } = host(health, status);
      const platform = await platformStatus(send, 'https://api.credicorp.co.uk', limits);
      assert.equal(platform.status, judged);
      if (reason === null) assert.equal(platform.reason, null);
      else assert.match(platform.reason ?? '', reason);
    });
  }

  it('is asked without a credential, on the base’s own host', async () => {
    const { send, asked } = host(OK, parts('operational', 'operational'));
    await platformStatus(send, 'https://api.credicorp.co.uk', limits);
    assert.deepEqual(asked, [
      'https://api.credicorp.co.uk/public/v1/healthz accept',
      'https://api.credicorp.co.uk/public/v1/status accept',
    ]);
  });

  it('a host that knows neither route is no platform', async () => {
    const { send } = host([404, ''], [404, '']);
    await assert.rejects(platformStatus(send, 'https://x.example', limits), { kind: 'not_found' });
  });

  it('stopped is not down', async () => {
    const { send } = host(new Failure('interrupted', 'stopped'), OK);
    await assert.rejects(platformStatus(send, 'https://x.example', limits), { kind: 'interrupted' });
  });
});
