import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { writeVariable } from '../../lib/cli/webhooks/env-file.ts';
import { listenerSecret, rememberDotenv, rotateListenerSecret } from '../../lib/cli/webhooks/listener-secret.ts';
import { object, type Result, text } from '../../lib/cli/result.ts';
import { noSecret } from '../../lib/cli/webhooks/signing.ts';
import { webhookSecret } from '../../lib/cli/webhooks/webhook-secrets.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class WebhooksSecret extends BaseCommand<typeof WebhooksSecret> {
  static override summary = 'print the secret that the listener signs with for your app';
  static override description = `One secret for each profile, made once and the same in every run, so your app is configured once. --rotate makes a new one; the old one signs as well for 24 h.
With --dotenv it writes the secret into a file instead and leaves every other line as it is. --env-file is an alias, but only for a file that exists: Node itself reads a flag of that name, and ends with status 9 if the file is missing.`;
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
    rotate: Flags.boolean({ summary: 'make a new one first; both sign for 24 h', exclusive: ['endpoint'] }),
    endpoint: Flags.string({ helpValue: '<id>', summary: 'the stored secret of this endpoint instead' }),
  };

  async run(): Promise<Result> {
    const { flags, context } = this;
    const name = flags.name ?? 'CC_WEBHOOK_SECRET';
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw usage('this is not the name of a variable', { param: '--name' });
    const secret = await this.secret();
    if (flags.dotenv === undefined) return text(secret, { secret });
    const file = await writeVariable(context, flags.dotenv, name, secret);
    if (flags.endpoint === undefined) await rememberDotenv(context, await this.session(), { file, name });
    this.note(`wrote ${name} into ${flags.dotenv}`);
    return object({ file, name }, { id: null, human: '' });
  }

  private async secret(): Promise<string> {
    const { flags, context } = this;
    const session = await this.session();
    if (flags.endpoint !== undefined) {
      const secret = await webhookSecret(session, flags.endpoint);
      if (secret === null) throw noSecret();
      return secret;
    }
    if (session.identity.vault === 'memory') {
      throw usage('nothing is kept for this credential, so there is no signing secret that stays', {
        code: 'no_webhook_secret',
        next: 'choose one yourself, and set CC_WEBHOOK_SECRET for the listener and for your app',
      });
    }
    if (flags.rotate) {
      const { current, previous } = await rotateListenerSecret(context, session);
      if (previous !== null) this.note(`both sign until ${new Date(previous.until).toISOString()}`);
      return current;
    }
    const { current, kind, place } = await listenerSecret(context, session);
    if (kind === 'run') this.note(`warning: it is ${place}`);
    return current;
  }
}
