/** The flags of `sandbox start` (sandbox.md#start-up). */
import * as Flags from '@oclif/core/flags';
import { count } from '../flags.ts';

export const SANDBOX_FLAGS = {
  background: Flags.boolean({ char: 'b', summary: 'leave it running and return; end it with sandbox stop' }),
  port: count({ summary: 'port to listen on, 0 for any free one [default: 4010]', max: 65_535 }),
  host: Flags.string({
    summary: 'address to listen on; if it is not loopback, other machines can reach it [default: 127.0.0.1]',
  }),
  seed: Flags.string({ helpValue: '<text>', summary: 'the same seed gives the same ids [default: random]' }),
  provider: Flags.option({
    options: ['credicorp', 'acountpay'] as const,
    summary:
      'whose API to imitate; acountpay: its token and payment calls, profile acountpay-local [default: credicorp]',
  })(),
  tier: Flags.option({
    options: ['build', 'launch', 'scale'] as const,
    summary: 'tier whose rate limits apply [default: build]',
  })(),
  'no-rate-limit': Flags.boolean({ summary: 'never answer 429' }),
  'no-auto-submit': Flags.boolean({
    summary: "wait for the applicant's form or apps submit, instead of submitting automatically",
  }),
  lenient: Flags.boolean({ summary: 'approve unknown companies instead of refusing them' }),
  strict: Flags.boolean({ summary: 'require an e-mail address or return URL on create, as documented' }),
  companies: Flags.string({
    helpValue: '<file>',
    summary: 'more reserved companies, in the form of sandbox companies --json',
  }),
  data: Flags.string({ helpValue: '<file>', summary: 'save the state in this file [default: memory only]' }),
  'clock-start': Flags.string({ helpValue: '<instant>', summary: 'start time of the sandbox clock (ISO 8601)' }),
  'clock-frozen': Flags.boolean({ summary: 'only sandbox clock advance moves the clock' }),
  speed: Flags.string({
    helpValue: '<factor>',
    summary: 'how much faster than real time the clock runs [default: 1]',
  }),
  'jwt-alg': Flags.option({
    options: ['ES256', 'RS256'] as const,
    summary: 'algorithm of access tokens [default: ES256]',
  })(),
  'v1-order': Flags.option({
    options: ['new-first', 'old-first'] as const,
    summary: 'order of the two signatures while a secret is rotated',
  })(),
  'webhook-debug-headers': Flags.boolean({ summary: 'add event id and attempt to deliveries' }),
  'ready-file': Flags.string({ helpValue: '<file>', summary: 'write the ready line to this file once it listens' }),
};
