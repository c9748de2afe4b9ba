import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../../lib/cli/api-command.ts';
import { deleteEndpoint, deleteAbandonedEndpoints } from '../../../lib/cli/webhooks/manage-endpoints.ts';
import { endpointId } from '../../../lib/cli/webhooks/manage-endpoints.ts';
import { object, type Result } from '../../../lib/cli/result.ts';
import { usage } from '../../../lib/failure.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class WebhooksEndpointsDelete extends WriteCommand<typeof WebhooksEndpointsDelete> {
  static override summary = 'delete a webhook endpoint and its stored secret';
  static override description = 'With --leftovers: the endpoints that crashed listeners of this machine left behind.';
  static override examples = [
    '<%= config.bin %> webhooks endpoints delete whend_3T8K1',
    '<%= config.bin %> webhooks endpoints delete --leftovers --quiet',
  ];
  static override recorded: Recording[] = [{ args: '{endpoint}', after: 'webhooks endpoints update' }];
  static override args = { id: endpointId };
  static override flags = {
    leftovers: Flags.boolean({ summary: 'delete the endpoints that crashed listeners left behind' }),
  };

  async run(): Promise<Result> {
    const { id } = this.args;
    if ((id === undefined) === !this.flags.leftovers)
      throw usage('give the id of an endpoint', { param: 'id', next: 'give its id, or --leftovers' });
    if (id !== undefined) {
      const planned = await this.planned('webhooks.delete', { id });
      if (planned) return planned;
    } else if (this.flags['dry-run']) throw usage('--dry-run needs an id', { param: 'id' });
    await this.confirmLive(id === undefined ? 'delete what listeners left' : `delete webhook endpoint ${id}`);
    const session = await this.session();
    const client = await this.client();
    if (id === undefined) {
      const deleted = await deleteAbandonedEndpoints(this.context, session, client);
      if (deleted.length === 0) this.note('no listener left anything behind');
      return object({ deleted }, { id: deleted.join('\n') || null });
    }
    await deleteEndpoint(this.context, session, client, id);
    return object({ id, deleted: true });
  }
}
