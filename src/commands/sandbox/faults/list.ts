import { page, type Result } from '../../../lib/cli/result.ts';
import { SandboxCommand } from '../../../lib/cli/admin-command.ts';
import { isRecord } from '../../../lib/contract/json.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class SandboxFaultsList extends SandboxCommand<typeof SandboxFaultsList> {
  static override summary = 'list the active faults of the embedded sandbox';
  static override examples = [
    '<%= config.bin %> sandbox faults list',
    `<%= config.bin %> sandbox faults list --json | jq '.data | length'`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ stage: 'end', after: 'sandbox faults add' }];

  async run(): Promise<Result> {
    const document = await this.ask({ method: 'GET', path: '/faults?limit=100' });
    const data = isRecord(document) && Array.isArray(document['data']) ? document['data'] : [];
    const columns = ['id', 'kind', 'match', 'status', 'delay_ms', 'probability', 'times', 'remaining'];
    return page(
      { ...(isRecord(document) ? document : {}), data },
      columns.map((path) => ({ path })),
      'no active faults',
    );
  }
}
