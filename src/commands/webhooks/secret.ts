import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { writeVariable } from '../../lib/cli/webhooks/env-file.ts';
import { object, type Result, text } from '../../lib/cli/result.ts';
import { noSecret } from '../../lib/cli/webhooks/signing.ts';
import { webhookSecret } from '../../lib/cli/webhooks/webhook-secrets.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class WebhooksSecret extends BaseCommand<typeof WebhooksSecret> {
  static override summary = 'print the signing secret of the running or last listener';
  static override description =
    'With --dotenv it writes the secret into a file instead and leaves every other line as it is. --env-file is an alias, but only for a file that exists: Node itself reads a flag of that name, and ends with status 9 if the file is missing.';
  static override examples = [
    '<%= config.bin %> webhooks secret --dotenv .env',
    'export CC_WEBHOOK_SECRET="$(<%= config.bin %> webhooks secret)"',
  ];
  static override recorded: Recording[] = [{ stage: 'listening' }];
  static override flags = {
    dotenv: Flags.string({
      aliases: ['env-file'],
      helpValue: '<file>',
      summary: 'write the secret into this file; alias --env-file for a file that exists',
    }),
    name: Flags.string({ helpValue: '<variable>', summary: 'name of the variable [default: CC_WEBHOOK_SECRET]' }),
    endpoint: Flags.string({ helpValue: '<id>', summary: 'the stored secret of this endpoint' }),
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const name = flags.name ?? 'CC_WEBHOOK_SECRET';
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw usage('this is not the name of a variable', { param: '--name' });
    const secret = await webhookSecret(await this.session(), flags.endpoint);
    if (secret === null) throw noSecret();
    if (flags.dotenv === undefined) return text(secret, { secret });
    const file = await writeVariable(this.context, flags.dotenv, name, secret);
    this.note(`wrote ${name} into ${flags.dotenv}`);
    return object({ file, name }, { id: null, human: '' });
  }
}
