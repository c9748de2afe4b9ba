import * as Args from '@oclif/core/args';
import { object, type Result } from '../../../lib/cli/result.ts';
import { SandboxCommand } from '../../../lib/cli/admin-command.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class SandboxFaultsClear extends SandboxCommand<typeof SandboxFaultsClear> {
  static override summary = 'remove one fault from the embedded sandbox, or all of them';
  static override examples = [
    '<%= config.bin %> sandbox faults clear',
    'id=$(<%= config.bin %> sandbox faults add latency --delay 2s --quiet) && <%= config.bin %> sandbox faults clear "$id"',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [{ stage: 'end', after: 'sandbox faults list' }];
  static override args = { id: Args.string({ ignoreStdin: true, description: 'id of the fault [default: all]' }) };

  async run(): Promise<Result> {
    const { id } = this.args;
    await this.ask({ method: 'DELETE', path: id === undefined ? '/faults' : `/faults?id=${encodeURIComponent(id)}` });
    return object({ cleared: id ?? 'all' }, { id: id ?? null });
  }
}
