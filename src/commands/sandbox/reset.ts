import * as Flags from '@oclif/core/flags';
import { object, type Result } from '../../lib/cli/result.ts';
import { SandboxCommand } from '../../lib/cli/admin-command.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class SandboxReset extends SandboxCommand<typeof SandboxReset> {
  static override summary = 'delete all data of the embedded sandbox, as if it had just been started';
  static override examples = [
    '<%= config.bin %> sandbox reset',
    '<%= config.bin %> sandbox reset --seed ci --keep-endpoints --quiet',
  ];
  static override recorded: Recording[] = [{ stage: 'end', after: 'sandbox faults clear' }];
  static override flags = {
    seed: Flags.string({ helpValue: '<text>', summary: 'restart with this seed [default: the same]' }),
    'keep-endpoints': Flags.boolean({ summary: 'keep the webhook endpoints' }),
  };

  async run(): Promise<Result> {
    const { seed, 'keep-endpoints': keep } = this.flags;
    const body = { ...(seed === undefined ? {} : { seed }), ...(keep ? { keep: ['webhook_endpoints'] } : {}) };
    return object(await this.ask({ method: 'POST', path: '/reset', body }));
  }
}
