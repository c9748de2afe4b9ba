import type { Result } from '../../lib/cli/result.ts';
import { SandboxCommand } from '../../lib/cli/admin-command.ts';
import { isRecord } from '../../lib/contract/json.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class SandboxCompanies extends SandboxCommand<typeof SandboxCompanies> {
  static override summary = 'list the reserved company numbers of the embedded sandbox, and the outcome of each';
  static override description = 'sandbox start --companies takes a file in the format of --json.';
  static override examples = [
    '<%= config.bin %> sandbox companies',
    `<%= config.bin %> sandbox companies --json | jq -r '.[] | select(.outcome=="declined").number'`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ stage: 'end' }];

  async run(): Promise<Result> {
    const document = await this.ask({ method: 'GET', path: '/companies' });
    const rows = Array.isArray(document) ? document.filter(isRecord) : [];
    const columns = ['number', 'name', 'effect', 'outcome', 'reason'].map((path) => ({ path }));
    // The number is what a company is known by: `--quiet` prints it.
    const items = rows.map((row) => ({ id: row['number'], ...row }));
    return { kind: 'page', document, items, columns, empty: 'no companies' };
  }
}
