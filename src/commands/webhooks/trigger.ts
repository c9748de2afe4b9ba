import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { deliver, DELIVERED_COLUMNS, newDeliveryId } from '../../lib/cli/webhooks/deliver-once.ts';
import { count, duration, notForAgents, pair } from '../../lib/cli/flags.ts';
import { object, type Result, stream } from '../../lib/cli/result.ts';
import { secretFlags, secretsToSignWith } from '../../lib/cli/webhooks/signing.ts';
import { checkedType, composeEvent, orderEvents, setsOf } from '../../lib/cli/webhooks/triggering.ts';
import { isRecord } from '../../lib/contract/json.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class WebhooksTrigger extends BaseCommand<typeof WebhooksTrigger> {
  static override summary = 'trigger an event: a real one on the embedded sandbox, or a signed sample to your app';
  static override description = `Without --forward the embedded sandbox sends a real event, with its usual retries. With --forward a sample is signed here and posted once. A value
given with --set is read as JSON if it is valid JSON, else as text.`;
  static override examples = [
    '<%= config.bin %> webhooks trigger decision.completed --set data.outcome=declined',
    '<%= config.bin %> webhooks trigger payment.settled --forward localhost:3000/hook --secret-file secret.txt --count 3 --field status',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [{ args: 'decision.completed', stage: 'listening' }];
  static override args = {
    type: Args.string({
      completes: 'event types',
      ignoreStdin: true,
      required: true,
      description: 'event type: decision.completed, payment.settled, …',
    }),
  };
  static override flags = {
    set: pair({
      helpValue: '<path=value>',
      summary: 'change a value: data.outcome=declined',
      multiple: true,
      multipleNonGreedy: true,
    }),
    count: count({ summary: 'how many events [default: 1]', min: 1, max: 1000 }),
    object: Flags.string({
      helpValue: '<id>',
      summary: 'make it about this object of the sandbox',
      exclusive: ['forward'],
    }),
    endpoint: Flags.string({
      helpValue: '<id>',
      summary: 'send it to this endpoint only, subscribed or not',
      exclusive: ['forward'],
    }),
    forward: notForAgents(
      Flags.string({ helpValue: '<target>', summary: 'sign a sample here and post it to this app' }),
    ),
    'allow-remote': notForAgents(Flags.boolean({ summary: 'allow a target on another machine' })),
    timeout: duration({ summary: "time limit for your app's answer [default: 10s]" }),
    ...secretFlags,
  };

  async run(): Promise<Result> {
    const { flags, context } = this;
    const type = checkedType(this.args.type);
    const set = setsOf(flags.set);
    if (flags.forward !== undefined) return stream(this.samples(flags.forward, set), DELIVERED_COLUMNS);
    if (flags['secret-stdin'] || flags['secret-file'] !== undefined)
      throw usage('the sandbox signs with its own secrets', { next: 'add --forward to sign and post from here' });
    const { count: wanted, object: object_id, endpoint } = flags;
    const order = { type, set, object_id, endpoint, ...(wanted === undefined ? {} : { count: wanted }) };
    const document = await orderEvents(context, await this.session(), order);
    const events = isRecord(document) && Array.isArray(document['events']) ? document['events'] : null;
    if (events === null) return object(document);
    const columns = ['id', 'type', 'created'].map((path) => ({ path }));
    return { kind: 'page', document, items: events, columns, empty: 'no events' };
  }

  private async *samples(forward: string, set: Record<string, unknown>): AsyncGenerator<unknown> {
    const { flags, context } = this;
    const [{ parseTarget }, { signedMessage }] = await Promise.all([
      import('../../lib/webhooks/forward/targets.ts'),
      import('../../lib/webhooks/forward/signed-delivery.ts'),
    ]);
    const target = parseTarget(forward, { allowRemote: flags['allow-remote'] });
    const session = await this.session();
    const secrets = await secretsToSignWith(context, session, flags);
    const timeoutMs = flags.timeout ?? 10_000;
    for (let n = 0; n < (flags.count ?? 1); n += 1) {
      const body = Buffer.from(JSON.stringify(composeEvent(context, this.args.type, set)));
      const deliveryId = newDeliveryId(this.context);
      const message = signedMessage({ body, secrets, t: Math.floor(context.now() / 1000), deliveryId });
      const sent = await deliver(context, session, { target, message, deliveryId, timeoutMs });
      yield { id: sent.event_id, ...sent };
    }
  }
}
