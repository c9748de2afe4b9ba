import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { count, duration } from '../../../lib/cli/flags.ts';
import { object, type Result } from '../../../lib/cli/result.ts';
import { SandboxCommand } from '../../../lib/cli/admin-command.ts';
import { usage } from '../../../lib/failure.ts';
import { FAULT_KINDS } from '../../../lib/contract/faults.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class SandboxFaultsAdd extends SandboxCommand<typeof SandboxFaultsAdd> {
  static override summary = 'inject a fault: an error, a delay, a dropped connection, a forged webhook';
  static override description = `A fault applies to the next matching request or delivery, once unless --times is given. If several match, the oldest applies.
Kinds: ${FAULT_KINDS.join(', ')}.`;
  static override examples = [
    "<%= config.bin %> sandbox faults add error --status 503 --retry-after 2s --path '/partner/v1/applications'",
    '<%= config.bin %> sandbox faults add webhook_duplicate --event decision.completed --times 5 --quiet',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [{ args: 'error --status 503', stage: 'end', after: 'doctor' }];
  static override args = {
    kind: Args.string({ ignoreStdin: true, required: true, options: [...FAULT_KINDS], description: 'what goes wrong' }),
  };
  static override flags = {
    method: Flags.string({ helpValue: '<method>', summary: 'only calls with this method' }),
    path: Flags.string({ helpValue: '<pattern>', summary: 'only these paths; * within a segment, ** across segments' }),
    application: Flags.string({
      completes: { ids: ['app_'] },
      helpValue: '<id>',
      summary: 'only payments of this application (payment_fail)',
    }),
    event: Flags.string({ helpValue: '<type>', summary: 'only events of this type or family (webhook_…)' }),
    endpoint: Flags.string({ helpValue: '<id>', summary: 'only deliveries to this endpoint (webhook_…)' }),
    status: count({ helpValue: '<status>', min: 400, max: 599, summary: 'status of error and html' }),
    code: Flags.string({ helpValue: '<code>', summary: 'error code, or failure code of payment_fail' }),
    message: Flags.string({ helpValue: '<text>', summary: 'error message' }),
    'retry-after': duration({ summary: 'Retry-After of the error: 2s' }),
    delay: duration({ summary: 'delay of latency and webhook_delay: 2s' }),
    probability: Flags.string({
      helpValue: '<share>',
      summary: 'probability that it applies, random by the seed: 0.1 or 10%',
    }),
    times: count({ max: 1_000_000, summary: 'how many times it applies; 0 means until cleared [default: 1]' }),
    for: duration({ summary: 'remove the fault after this much sandbox time' }),
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const match = given({
      ...{ method: flags.method, path: flags.path, application_id: flags.application },
      ...{ event: flags.event, endpoint: flags.endpoint },
    });
    const retryAfter = flags['retry-after'];
    const body = given({
      kind: this.args.kind,
      match: Object.keys(match).length === 0 ? undefined : match,
      ...{ status: flags.status, code: flags.code, message: flags.message },
      retry_after: retryAfter === undefined ? undefined : Math.ceil(retryAfter / 1000),
      delay_ms: flags.delay,
      probability: flags.probability === undefined ? undefined : share(flags.probability),
      ...{ for_ms: flags.for, times: flags.times },
    });
    return object(await this.ask({ method: 'POST', path: '/faults', body }));
  }
}

function given(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** `0.1` or `10%`. */
function share(text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})(%?)$/.exec(text.trim());
  const value = match ? Number(match[1]) / (match[2] === '%' ? 100 : 1) : Number.NaN;
  if (value >= 0 && value <= 1) return value;
  throw usage('the probability is not a number from 0 to 1', { param: '--probability', next: 'write 0.1 or 10%' });
}
