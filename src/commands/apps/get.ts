import { ApiCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import { object, type Result } from '../../lib/cli/result.ts';

export default class AppsGet extends ApiCommand<typeof AppsGet> {
  static override summary = 'show one application';
  static override examples = [
    '<%= config.bin %> apps get app_8Kd2c9Qm',
    'status=$(<%= config.bin %> apps get app_8Kd2c9Qm --field status)',
  ];
  static override args = { id: id({ required: true, description: 'application id' }) };

  async run(): Promise<Result> {
    const answer = await this.call('applications.get', { id: this.args.id });
    return object(answer.json);
  }
}
