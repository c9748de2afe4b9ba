import { WriteCommand } from '../../../lib/cli/api-command.ts';
import { keepShownSecret } from '../../../lib/cli/webhooks/manage-endpoints.ts';
import { id } from '../../../lib/cli/flags.ts';
import type { Result } from '../../../lib/cli/result.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class WebhooksEndpointsRotate extends WriteCommand<typeof WebhooksEndpointsRotate> {
  static override summary = 'give a webhook endpoint a new secret; deliveries are signed with both for 24 h';
  static override description =
    'To lose nothing: let your app accept both secrets, deploy, rotate, wait 24 h, remove the old one. A second rotation in that time drops the oldest.';
  static override examples = [
    '<%= config.bin %> webhooks endpoints rotate whend_3T8K1',
    'secret=$(<%= config.bin %> webhooks endpoints rotate whend_3T8K1 --field secret)',
  ];
  static override recorded: Recording[] = [{ args: '{endpoint}' }];
  static override args = {
    id: id({ completes: { ids: ['whend_'] }, description: 'id of the endpoint', required: true }),
  };

  async run(): Promise<Result> {
    const what = `rotate the secret of webhook endpoint ${this.args.id}`;
    const result = await this.write('webhooks.rotate', { id: this.args.id }, what);
    if (!this.flags['dry-run'] && result.kind === 'object')
      await keepShownSecret(this.context, await this.session(), result.document);
    return result;
  }
}
