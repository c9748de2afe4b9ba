import { ApiCommand } from '../../../lib/cli/api-command.ts';
import { id } from '../../../lib/cli/flags.ts';
import { object, type Result } from '../../../lib/cli/result.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class WebhooksEndpointsGet extends ApiCommand<typeof WebhooksEndpointsGet> {
  static override summary = 'show one webhook endpoint';
  static override examples = [
    '<%= config.bin %> webhooks endpoints get whend_3T8K1',
    '<%= config.bin %> webhooks endpoints get whend_3T8K1 --field status',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{endpoint}' }];
  static override args = {
    id: id({ completes: { ids: ['whend_'] }, description: 'id of the endpoint', required: true }),
  };

  async run(): Promise<Result> {
    return object((await this.call('webhooks.get', { id: this.args.id })).json);
  }
}
