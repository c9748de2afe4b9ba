import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { prefixOf, ticketOf, ticketText } from '../../src/lib/journal/support-ticket.ts';
import { record } from './support.ts';

const entry = (more: Parameters<typeof record>[0], seq = 1) => ({ seq, ...record(more) });
const refused = {
  environment: 'live',
  origin: 'https://api.credicorp.co.uk',
  method: 'POST',
  path: '/partner/v1/payments',
  status: 409,
  requestId: 'req_8Hn2Lp0Wd4Xc',
  idempotencyKey: 'pay-2026-06-29-inv-5512',
  errorCode: 'idempotency_key_reused',
  requestHeaders: {
    authorization: 'Bearer sk_live_[redacted]',
    'idempotency-key': 'pay-2026-06-29-inv-5512',
    'content-type': 'application/json',
  },
  requestBody: '{"amount":250000,"reference":"it\'s"}',
};

describe('ticket', () => {
  it('has what the support page asks for, in its order', () => {
    const ticket = {
      ...ticketOf('req_8Hn2Lp0Wd4Xc', [entry(refused)]),
      expected: '202 Accepted',
      severity: 2 as const,
    };
    assert.equal(
      ticketText(ticket),
      [
        'Severity:         SEV-2',
        'Environment:      live  (key prefix: sk_live_)',
        'Endpoint:         POST /partner/v1/payments',
        'request_id:       req_8Hn2Lp0Wd4Xc',
        'Time (UTC):       2026-06-29T10:15:00Z',
        'Expected:         202 Accepted',
        'Actual:           409 Conflict, error.code = idempotency_key_reused',
        'Idempotency-Key:  pay-2026-06-29-inv-5512',
        '',
        "curl --include -X POST 'https://api.credicorp.co.uk/partner/v1/payments' \\",
        '  -H "Authorization: Bearer [REDACTED]" \\',
        "  -H 'idempotency-key: pay-2026-06-29-inv-5512' \\",
        "  -H 'content-type: application/json' \\",
        `  --data-raw '{"amount":250000,"reference":"it'\\''s"}'`,
      ].join('\n'),
    );
  });

  it('describes the call as it was sent, not as the server recorded it', () => {
    const entries = [entry(refused), entry({ ...refused, source: 'sandbox', status: 200, requestHeaders: {} }, 2)];
    assert.deepEqual(
      [ticketOf('r', entries).keyPrefix, ticketOf('r', entries).actual?.slice(0, 3)],
      ['sk_live_', '409'],
    );
  });

  it('says when there was no answer, and what is unknown', () => {
    assert.equal(
      ticketOf('r', [entry({ ...refused, status: null, note: 'timeout', errorCode: null })]).actual,
      'no answer (timeout)',
    );
    const unknown = ticketOf('req_1', []);
    assert.equal(ticketText(unknown), 'Environment:      unknown\nEndpoint:         unknown\nrequest_id:       req_1');
  });

  it('contains no secret, wherever it came from', () => {
    const ticket = {
      ...ticketOf('req_1', [entry(refused)]),
      expected: 'as with sk_live_PLANTED99',
      actual: 'live value 77',
    };
    const text = ticketText(ticket, ['live value 77']);
    assert.doesNotMatch(text, /PLANTED|live value/);
    assert.match(text, /Bearer \[REDACTED\]/);
  });

  it('shows the kind of key by its prefix only', () => {
    const rows: [credential: string, prefix: string | null][] = [
      ['Bearer sk_test_[redacted]', 'sk_test_'],
      ['cid_sbx_4Hd82Kq', 'cid_sbx_'],
      ['cc_client_1', 'cc_client_'],
      ['Bearer [redacted]', null],
      ['', null],
    ];
    for (const [credential, prefix] of rows) assert.equal(prefixOf(credential), prefix, credential);
  });
});
