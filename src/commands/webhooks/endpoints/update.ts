import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../../lib/cli/api-command.ts';
import { endpointBody, endpointFlags } from '../../../lib/cli/webhooks/manage-endpoints.ts';
import { id } from '../../../lib/cli/flags.ts';
import type { Result } from '../../../lib/cli/result.ts';
import { usage } from '../../../lib/failure.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class WebhooksEndpointsUpdate extends WriteCommand<typeof WebhooksEndpointsUpdate> {
  static override summary = 'change a webhook endpoint: URL, events, description, enabled or disabled';
  static override description =
    'Enabling a disabled endpoint sends the events that waited for it and are younger than 72 h.';
  static override examples = [
    '<%= config.bin %> webhooks endpoints update whend_3T8K1 --status enabled',
    "<%= config.bin %> webhooks endpoints update whend_3T8K1 --events 'payment.*' --quiet",
  ];
  static override recorded: Recording[] = [{ args: '{endpoint} --status disabled' }];
  static override args = {
    id: id({ completes: { ids: ['whend_'] }, description: 'id of the endpoint', required: true }),
  };
  static override flags = {
    ...endpointFlags,
    status: Flags.option({ options: ['enabled', 'disabled'] as const, summary: 'enabled or disabled' })(),
  };

  async run(): Promise<Result> {
    const { status } = this.flags;
    const body = { ...endpointBody(this.flags), ...(status === undefined ? {} : { status }) };
    if (Object.keys(body).length === 0)
      throw usage('nothing to change', { next: 'give --url, --events, --description, --metadata or --status' });
    return this.write('webhooks.update', { id: this.args.id, body }, `change webhook endpoint ${this.args.id}`);
  }
}
