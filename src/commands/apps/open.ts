import { ApiCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import { openPage } from '../../lib/cli/system/browser.ts';
import { type Result, text } from '../../lib/cli/result.ts';
import { Failure } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class AppsOpen extends ApiCommand<typeof AppsOpen> {
  static override summary = "open an application's form in a browser";
  static override description =
    'Prints the URL; a browser is opened on a terminal only. The page is for the applicant: anybody with the URL can fill in the form.';
  static override examples = [
    '<%= config.bin %> apps open app_8Kd2c9Qm',
    'journey=$(<%= config.bin %> apps open app_8Kd2c9Qm)',
  ];
  static override recorded: Recording[] = [{ args: '{application}' }];
  static override args = { id: id({ completes: { ids: ['app_'] }, required: true, description: 'application id' }) };

  async run(): Promise<Result> {
    const answer = await this.call('applications.get', { id: this.args.id });
    const { handoff_url: url } = answer.data;
    if (!url) {
      throw new Failure('refused', `application ${this.args.id} has no form to open`, {
        code: 'no_handoff_url',
        next: `look at it: credicorp apps get ${this.args.id} --json`,
      });
    }
    await openPage(this.context, url);
    return text(url, answer.json);
  }
}
