import { BaseCommand } from '../../lib/cli/command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { confirmedSandbox } from '../../lib/cli/sandbox/running-sandbox.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class SandboxStatus extends BaseCommand<typeof SandboxStatus> {
  static override summary = 'show whether the embedded sandbox is running, and where';
  static override examples = ['<%= config.bin %> sandbox status', '<%= config.bin %> sandbox status --field base_url'];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ stage: 'start' }];

  async run(): Promise<Result> {
    const running = await confirmedSandbox(this.context);
    const { admin_token: _, ...shown } = running ?? { admin_token: null };
    return object(
      running ? { running: true, ...shown } : { running: false, pid: null, base_url: null, started_at: null },
    );
  }
}
