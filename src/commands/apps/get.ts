import { ApiCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { APPLICATION_COLUMNS } from '../../lib/cli/output/resource-columns.ts';

export default class AppsGet extends ApiCommand<typeof AppsGet> {
  static override summary = 'show one application';
  static override description =
    'With - in place of the id, ids are read from stdin: one per line, or JSON objects with an id.';
  static override examples = [
    '<%= config.bin %> apps get app_8Kd2c9Qm',
    'status=$(<%= config.bin %> apps get app_8Kd2c9Qm --field status)',
  ];
  static override args = { id: id({ required: true, description: 'application id, or - for ids on stdin' }) };

  async run(): Promise<Result> {
    return this.each(this.args.id, APPLICATION_COLUMNS, (id) => this.call('applications.get', { id }));
  }
}
