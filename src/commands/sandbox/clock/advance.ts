import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { object, type Result } from '../../../lib/cli/result.ts';
import { SandboxCommand } from '../../../lib/cli/admin-command.ts';
import { parseDuration } from '../../../lib/contract/time.ts';
import { usage } from '../../../lib/failure.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class SandboxClockAdvance extends SandboxCommand<typeof SandboxClockAdvance> {
  static override summary = 'move the clock of the embedded sandbox forward';
  static override description = `Everything that becomes due happens, in order and at its time: steps of applications, repayments, webhook retries. Tokens expire as well, and the next
command gets a new one.`;
  static override examples = [
    '<%= config.bin %> sandbox clock advance 72h',
    '<%= config.bin %> sandbox clock advance 30m --field fired.deliveries',
  ];
  static override agentTool = 'destroy' as const;
  static override recorded: Recording[] = [{ args: '1m', after: 'apps submit' }];
  static override args = { by: Args.string({ ignoreStdin: true, description: 'by how much: 500ms, 30m, 72h, 7d' }) };
  static override flags = {
    to: Flags.string({ helpValue: '<instant>', summary: 'the time to move to instead (ISO 8601)' }),
  };

  async run(): Promise<Result> {
    const { by } = this.args;
    const { to } = this.flags;
    const next = 'for example: credicorp sandbox clock advance 72h';
    if ((by === undefined) === (to === undefined))
      throw usage('give a duration, or a time with --to', { param: 'by', next });
    if (by !== undefined && parseDuration(by) === null)
      throw usage(`${JSON.stringify(by.slice(0, 40))} is not a duration`, { param: 'by', next });
    const body = by === undefined ? { to } : { by };
    return object(await this.askOnce({ method: 'POST', path: '/clock/advance', body }));
  }
}
