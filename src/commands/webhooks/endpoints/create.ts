import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../../lib/cli/api-command.ts';
import { endpointBody, endpointFlags } from '../../../lib/cli/webhooks/manage-endpoints.ts';
import { keepShownSecret } from '../../../lib/cli/webhooks/manage-endpoints.ts';
import { uri } from '../../../lib/cli/flags.ts';
import type { Result } from '../../../lib/cli/result.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class WebhooksEndpointsCreate extends WriteCommand<typeof WebhooksEndpointsCreate> {
  static override summary = 'create a webhook endpoint; its secret is shown once and stored';
  static override examples = [
    "<%= config.bin %> webhooks endpoints create --url http://127.0.0.1:3000/hook --events 'decision.*,payment.settled'",
    'secret=$(<%= config.bin %> webhooks endpoints create --url http://127.0.0.1:3000/hook --field secret)',
  ];
  static override recorded: Recording[] = [{ args: '--url {handler}', gives: { endpoint: 'id' } }];
  static override flags = {
    ...endpointFlags,
    url: uri({ summary: 'where deliveries go: https, or http on this machine for the sandbox', required: true }),
    'api-version': Flags.string({
      helpValue: '<date>',
      summary: "schema of the events: 2026-07-01 [default: the account's]",
    }),
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const version = flags['api-version'];
    const body = {
      enabled_events: ['*'],
      ...endpointBody(flags),
      ...(version === undefined ? {} : { api_version: version }),
    };
    const result = await this.write('webhooks.create', { body }, `create a webhook endpoint for ${flags.url}`);
    if (!flags['dry-run'] && result.kind === 'object')
      await keepShownSecret(this.context, await this.session(), result.document);
    return result;
  }
}
