import { ApiCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { APPLICATION_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class AppsGet extends ApiCommand<typeof AppsGet> {
  static override summary = 'show one application';
  static override description =
    'With - in place of the id, ids are read from stdin: one per line, or JSON objects with an id.';
  static override examples = [
    '<%= config.bin %> apps get app_8Kd2c9Qm',
    'status=$(<%= config.bin %> apps get app_8Kd2c9Qm --field status)',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [
    { args: '{application}' },
    { args: 'app_00000000', stage: 'end', status: 3 },
  ];
  static override args = {
    id: id({ completes: { ids: ['app_'] }, required: true, description: 'application id, or - for ids on stdin' }),
  };

  async run(): Promise<Result> {
    return this.each(this.args.id, APPLICATION_COLUMNS, (id) => this.call('applications.get', { id }));
  }
}
