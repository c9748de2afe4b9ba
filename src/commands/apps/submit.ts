import { WriteCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class AppsSubmit extends WriteCommand<typeof AppsSubmit> {
  static override summary = 'submit an application that is still being filled in';
  static override description = `Only an application in state created can be submitted; in any other state the API refuses (status 1).
Applicants submit the form themselves; this is for sandboxes started with --no-auto-submit, and for hosts that offer it.`;
  static override examples = [
    '<%= config.bin %> apps submit app_9Zz3Lw7T',
    '<%= config.bin %> apps submit app_9Zz3Lw7T --dry-run --json | jq -r .url',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [{ args: '{application}' }];
  static override args = { id: id({ completes: { ids: ['app_'] }, required: true, description: 'application id' }) };

  async run(): Promise<Result> {
    const { id } = this.args;
    return this.write('applications.submit', { id }, `submit application ${id}`);
  }
}
