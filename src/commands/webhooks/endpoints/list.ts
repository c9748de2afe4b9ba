import {
  ENDPOINT_COLUMNS,
  listAbandonedEndpoints,
  deleteAbandonedEndpoints,
} from '../../../lib/cli/webhooks/manage-endpoints.ts';
import { ListCommand, listFlags } from '../../../lib/cli/list-command.ts';
import type { Result } from '../../../lib/cli/result.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class WebhooksEndpointsList extends ListCommand<typeof WebhooksEndpointsList> {
  static override summary = 'list the webhook endpoints of the account';
  static override description =
    'Endpoints that crashed listeners of this machine left behind are marked, and on a terminal you are asked whether to delete them.';
  static override examples = [
    '<%= config.bin %> webhooks endpoints list',
    `<%= config.bin %> webhooks endpoints list --all --json | jq -r 'select(.status=="disabled").id'`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ after: 'webhooks endpoints create' }];
  static override flags = { ...listFlags };

  async run(): Promise<Result> {
    await this.offerRemoval();
    return this.list(
      'webhooks.list',
      {},
      ENDPOINT_COLUMNS,
      'no webhook endpoints; make one: credicorp webhooks listen',
    );
  }

  private async offerRemoval(): Promise<void> {
    const session = await this.session();
    const left = listAbandonedEndpoints(this.context, session);
    if (left.length === 0) return;
    const ids = left.map(({ endpointId }) => endpointId).join(', ');
    this.note(`left by listeners that crashed: ${ids}; remove them: credicorp webhooks endpoints delete --leftovers`);
    if (!this.mayAsk) return;
    const { askYes } = await import('../../../lib/cli/ask/prompt.ts');
    if (await askYes(this.context, left.length === 1 ? 'Remove it now?' : `Remove these ${left.length} now?`))
      await deleteAbandonedEndpoints(this.context, session, await this.client());
  }
}
