import { object, type Result } from '../../lib/cli/result.ts';
import { SandboxCommand } from '../../lib/cli/admin-command.ts';
import { isRecord } from '../../lib/contract/json.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class SandboxClock extends SandboxCommand<typeof SandboxClock> {
  static override summary = 'show the time on the clock of the embedded sandbox';
  static override examples = ['<%= config.bin %> sandbox clock', '<%= config.bin %> sandbox clock --field now'];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{}];

  async run(): Promise<Result> {
    const health = await this.ask({ method: 'GET', path: '/health' });
    const { now, clock } = isRecord(health) ? health : {};
    return object({ now, clock });
  }
}
