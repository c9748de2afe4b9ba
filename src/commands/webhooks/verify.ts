import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { count } from '../../lib/cli/flags.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { givenSecrets, noSecret, readRawBody, secretFlags, unixTime } from '../../lib/cli/webhooks/signing.ts';
import {
  badSignature,
  genuine,
  verifyDelivery,
  knownSecrets,
  providerFlag,
  senderOf,
} from '../../lib/cli/webhooks/verifying.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class WebhooksVerify extends BaseCommand<typeof WebhooksVerify> {
  static override summary = 'verify the signature of one delivery offline, and explain why it fails';
  static override description = `Takes the raw body from a file or from stdin and the Credicorp-Signature header unchanged. The secret comes from --secret-file, --secret-stdin or
CC_WEBHOOK_SECRET, otherwise it is that of the running or last listener. Other secrets known here are used only to explain a failure. A signature that is not valid ends with 7.`;
  static override examples = [
    `<%= config.bin %> webhooks verify body.json --secret-file secret.txt --header "$(<%= config.bin %> webhooks sign body.json --secret-file secret.txt)"`,
    `printf %s "$SECRET" | <%= config.bin %> webhooks verify body.json --secret-stdin --header "$HEADER" --field valid`,
  ];
  static override recorded: Recording[] = [{ args: 'body.json --header {header} --secret-file secret.txt' }];
  static override args = {
    body: Args.string({ ignoreStdin: true, default: '-', description: 'file with the raw body, - for stdin' }),
  };
  static override flags = {
    header: Flags.string({
      helpValue: '<value>',
      summary: 'value of the signature header; leave it out if there was none',
    }),
    provider: providerFlag,
    timestamp: Flags.string({
      helpValue: '<value>',
      summary: 'value of the timestamp header, if the provider sends one',
    }),
    endpoint: Flags.string({ helpValue: '<id>', summary: 'use the stored secret of this endpoint' }),
    at: unixTime({ summary: 'the time of the check [default: now]' }),
    tolerance: count({
      helpValue: '<seconds>',
      summary: "maximum age of a signature in seconds [default: the scheme's, 300]",
      min: 1,
      max: 86_400,
    }),
    ...secretFlags,
  };

  async run(): Promise<Result> {
    const { flags, context } = this;
    const session = await this.session();
    const given = await givenSecrets(context, flags);
    const known = await knownSecrets(context, session, flags.endpoint ?? null);
    const secrets = given.length > 0 ? given : known.own;
    if (secrets.length === 0) throw noSecret();
    const now = flags.at ?? Math.floor(context.now() / 1000);
    const provider = senderOf(context, session, flags.provider);
    const delivery = {
      ...{ header: flags.header, timestamp: flags.timestamp, tolerance: flags.tolerance },
      ...{ body: await readRawBody(context, this.args.body), secrets, now, others: known.others },
    };
    const verdict = verifyDelivery(provider, delivery);
    if (!verdict.valid) throw badSignature(verdict, provider);
    const { document, human } = genuine(verdict, delivery, provider);
    return object(document, { id: null, human });
  }
}
