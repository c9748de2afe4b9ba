import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../lib/cli/command.ts';
import { type Result, text } from '../../lib/cli/result.ts';
import { readRawBody, secretFlags, secretsToSignWith, unixTime } from '../../lib/cli/webhooks/signing.ts';
import { providerFlag, senderOf } from '../../lib/cli/webhooks/verifying.ts';
import { signedHeaders } from '../../lib/contract/webhook-scheme.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class WebhooksSign extends BaseCommand<typeof WebhooksSign> {
  static override summary = 'print the signature header for a body';
  static override description =
    'Signs the bytes unchanged. With several secrets it writes one v1 for each, in the given order, as the sender does while a secret is rotated.';
  static override examples = [
    '<%= config.bin %> webhooks sign body.json --secret-file secret.txt',
    `curl -sS localhost:3000/hook --data-binary @body.json -H "Credicorp-Signature: $(<%= config.bin %> webhooks sign body.json --secret-file secret.txt)"`,
  ];
  static override recorded: Recording[] = [{ args: 'body.json --secret-file secret.txt', gives: { header: 'header' } }];
  static override args = {
    body: Args.string({ ignoreStdin: true, default: '-', description: 'file with the raw body, - for stdin' }),
  };
  static override flags = {
    at: unixTime({ summary: 'the signed time [default: now]' }),
    provider: providerFlag,
    ...secretFlags,
  };

  async run(): Promise<Result> {
    const { context, flags } = this;
    const session = await this.session();
    const { webhooks } = senderOf(context, session, flags.provider);
    const secrets = await secretsToSignWith(context, session, flags);
    const body = await readRawBody(context, this.args.body);
    const t = flags.at ?? Math.floor(context.now() / 1000);
    const headers = signedHeaders(webhooks, { secrets, t, body });
    const header = headers[webhooks.signatureHeader] ?? '';
    // A time in a header of its own has to be sent as well.
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    return text(lines.length === 1 ? header : lines.join('\n'), { header, timestamp: t, headers });
  }
}
