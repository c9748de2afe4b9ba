import * as Flags from '@oclif/core/flags';
import { APPLICATION_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import { DOCUMENTED_VALUES, instant, joinWithOr } from '../../lib/cli/flags.ts';
import { ListCommand, listFlags } from '../../lib/cli/list-command.ts';
import type { Result } from '../../lib/cli/result.ts';
import { isoSeconds } from '../../lib/contract/time.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class AppsList extends ListCommand<typeof AppsList> {
  static override summary = 'list applications, newest first';
  static override examples = [
    '<%= config.bin %> apps list --status approved',
    `<%= config.bin %> apps list --all --json | jq -r 'select(.status=="funded").id'`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [
    { args: '--limit 2', after: 'apps create' },
    { args: '--all', after: 'apps create' },
  ];
  static override flags = {
    status: Flags.string({
      completes: DOCUMENTED_VALUES.application,
      helpValue: '<status>',
      summary: `only in this state: ${joinWithOr(DOCUMENTED_VALUES.application)}`,
    }),
    'created-after': instant({ summary: 'created since: 2026-06-01, an ISO 8601 time, or 7d (ago)' }),
    ...listFlags,
  };

  async run(): Promise<Result> {
    const after = this.flags['created-after'];
    return this.list(
      'applications.list',
      { status: this.flags.status, created_after: after === undefined ? undefined : isoSeconds(after) },
      APPLICATION_COLUMNS,
      'no applications yet; make one: credicorp apps create --company 16093826',
    );
  }
}
