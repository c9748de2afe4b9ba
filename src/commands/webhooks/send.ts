import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { deliver, newDeliveryId, isAccepted } from '../../lib/cli/webhooks/deliver-once.ts';
import { duration } from '../../lib/cli/flags.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import {
  foreignMessage,
  readRawBody,
  secretFlags,
  secretsToSignWith,
  unixTime,
} from '../../lib/cli/webhooks/signing.ts';
import { providerFlag, senderOf } from '../../lib/cli/webhooks/verifying.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class WebhooksSend extends BaseCommand<typeof WebhooksSend> {
  static override summary = 'sign a body and post it to your app, once';
  static override description =
    'Sends the bytes unchanged, with the headers of a real delivery. Uses the secret of the running or last listener unless another is given.';
  static override examples = [
    '<%= config.bin %> webhooks send body.json --forward localhost:3000/hook --secret-file secret.txt',
    `printf '{"id":"evt_1","type":"payment.settled"}' | <%= config.bin %> webhooks send --forward 3000/hook --secret-file secret.txt --exit-status --field status`,
  ];
  static override recorded: Recording[] = [{ args: 'body.json --forward {handler} --secret-file secret.txt' }];
  static override args = {
    body: Args.string({ ignoreStdin: true, default: '-', description: 'file with the raw body, - for stdin' }),
  };
  static override flags = {
    forward: Flags.string({
      helpValue: '<target>',
      required: true,
      summary: 'your app: localhost:3000/hook, 3000/hook or a URL',
    }),
    'allow-remote': Flags.boolean({ summary: 'allow a target on another machine' }),
    at: unixTime({ summary: 'the signed time [default: now]' }),
    'delivery-id': Flags.string({ helpValue: '<id>', summary: 'value of Credicorp-Delivery [default: a new one]' }),
    timeout: duration({ summary: "time limit for your app's answer [default: 10s]" }),
    'exit-status': Flags.boolean({ summary: 'exit with status 9 unless the app answers 2xx' }),
    provider: providerFlag,
    ...secretFlags,
  };

  async run(): Promise<Result> {
    const { flags, context } = this;
    const [{ parseTarget }, { signedMessage }] = await Promise.all([
      import('../../lib/webhooks/forward/targets.ts'),
      import('../../lib/webhooks/forward/signed-delivery.ts'),
    ]);
    const target = parseTarget(flags.forward, { allowRemote: flags['allow-remote'] });
    const session = await this.session();
    const secrets = await secretsToSignWith(context, session, flags);
    const body = await readRawBody(context, this.args.body);
    const deliveryId = flags['delivery-id'] ?? newDeliveryId(context);
    const t = flags.at ?? Math.floor(context.now() / 1000);
    const { name, webhooks } = senderOf(context, session, flags.provider);
    const message =
      name === 'credicorp'
        ? signedMessage({ body, secrets, t, deliveryId })
        : foreignMessage(webhooks, { body, secrets, t });
    const sent = await deliver(context, session, { target, message, deliveryId, timeoutMs: flags.timeout ?? 10_000 });
    if (flags['exit-status'] && !isAccepted(sent)) this.endWith(9);
    return object(sent, { id: sent.delivery_id });
  }
}
