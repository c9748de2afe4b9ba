import { WriteCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class AppsWithdraw extends WriteCommand<typeof AppsWithdraw> {
  static override summary = 'withdraw an application that is not funded yet';
  static override description = `A declined, withdrawn or funded application cannot be withdrawn: the API refuses (status 1).`;
  static override examples = [
    '<%= config.bin %> apps withdraw app_5Rt2Kp8N',
    '<%= config.bin %> apps withdraw app_6Ut3Lq9P --idempotency-key withdraw_88421 --field status',
  ];
  static override agentTool = 'destroy' as const;
  static override recorded: Recording[] = [{ args: '{unwanted}' }];
  static override args = { id: id({ completes: { ids: ['app_'] }, required: true, description: 'application id' }) };

  async run(): Promise<Result> {
    const { id } = this.args;
    return this.write('applications.withdraw', { id }, `withdraw application ${id}`);
  }
}
