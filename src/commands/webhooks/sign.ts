import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../lib/cli/command.ts';
import { type Result, text } from '../../lib/cli/result.ts';
import { readBody, secretFlags, signingSecrets, unixTime } from '../../lib/cli/signing.ts';
import { signatureHeader } from '../../lib/contract/signature.ts';

export default class WebhooksSign extends BaseCommand<typeof WebhooksSign> {
  static override summary = 'print the Credicorp-Signature header for a body';
  static override description =
    'Signs the bytes as they are. With several secrets it writes one v1 for each, in the order given, as the sender does while a secret is rotated.';
  static override examples = [
    '<%= config.bin %> webhooks sign body.json --secret-file secret.txt',
    `curl -sS localhost:3000/hook --data-binary @body.json -H "Credicorp-Signature: $(<%= config.bin %> webhooks sign body.json --secret-file secret.txt)"`,
  ];
  static override args = {
    body: Args.string({ ignoreStdin: true, default: '-', description: 'file of the raw body, - for stdin' }),
  };
  static override flags = {
    at: unixTime({ summary: 'the signed time [default: now]' }),
    ...secretFlags,
  };

  async run(): Promise<Result> {
    const secrets = await signingSecrets(this.context, await this.session(), this.flags);
    const body = await readBody(this.context, this.args.body);
    const t = this.flags.at ?? Math.floor(this.context.now() / 1000);
    const header = signatureHeader({ secrets, t, body });
    return text(header, { header, timestamp: t });
  }
}
