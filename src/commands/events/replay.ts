import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { DELIVERED_COLUMNS, type Delivered, isAccepted } from '../../lib/cli/webhooks/deliver-once.ts';
import { duration } from '../../lib/cli/flags.ts';
import { findDelivery, type FoundDelivery, inboxScope } from '../../lib/cli/webhooks/local-inbox.ts';
import { editedBody, replayOnce, targetsOf } from '../../lib/cli/webhooks/deliver-once.ts';
import { registryOptions } from '../../lib/cli/webhooks/manage-endpoints.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import { secretFlags, secretsToSignWith } from '../../lib/cli/webhooks/signing.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class EventsReplay extends BaseCommand<typeof EventsReplay> {
  static override summary = 'send deliveries of the local inbox to your app again, with a new signature';
  static override description = `Sends the same event id and bytes (with --edit, as you changed them) under a new delivery id, signed as the listener signs,
to where they were forwarded before or to --forward. One that your app accepts is settled: a listener does not send it again.`;
  static override examples = [
    '<%= config.bin %> events replay evt_7Q2M9XaB --forward localhost:3000/hook',
    `<%= config.bin %> events replay $(<%= config.bin %> events list --state delivered --limit 2 --quiet) --exit-status --field status`,
  ];
  static override recorded: Recording[] = [{ args: '{event} --forward {handler}', stage: 'listening' }];
  static override args = {
    ids: Args.string({
      completes: { ids: ['evt_'] },
      ignoreStdin: true,
      multiple: true,
      required: true,
      description: 'event ids, delivery ids, or numbers in the inbox',
    }),
  };
  static override flags = {
    forward: Flags.string({ helpValue: '<target>', summary: 'your app: localhost:3000/hook, 3000/hook or a URL' }),
    'allow-remote': Flags.boolean({ summary: 'allow a target on another machine' }),
    edit: Flags.boolean({ summary: 'edit the event in $VISUAL or $EDITOR first' }),
    timeout: duration({ summary: "time limit for your app's answer [default: 10s]" }),
    'exit-status': Flags.boolean({ summary: 'exit with status 9 unless the app answers 2xx to all' }),
    ...secretFlags,
  };

  async run(): Promise<Result> {
    return stream(this.replays(), DELIVERED_COLUMNS);
  }

  private async *replays(): AsyncGenerator<unknown> {
    const { flags } = this;
    const session = await this.session();
    // All are looked up before the first is sent: a mistyped id must not leave half of them done.
    const found = this.args.ids.map((id) => findDelivery(session.store(), inboxScope(session.identity), id));
    const { parseTarget } = await import('../../lib/webhooks/forward/targets.ts');
    const allowed = { allowRemote: flags['allow-remote'] };
    const forward = flags.forward === undefined ? null : parseTarget(flags.forward, allowed);
    const plans = found.map((one) => ({ one, targets: forward === null ? targetsOf(one) : [forward] }));
    const secrets = await secretsToSignWith(this.context, session, flags);
    for (const { one, targets } of plans) yield* this.replay(one, targets, secrets);
  }

  private async *replay(
    found: FoundDelivery,
    targets: readonly URL[],
    secrets: readonly string[],
  ): AsyncGenerator<unknown> {
    const { flags, context } = this;
    const body = flags.edit ? await editedBody(context, found) : found.body;
    const timeoutMs = flags.timeout ?? 10_000;
    for (const target of targets) {
      const sent = await replayOnce(context, await this.session(), found, { target, body, secrets, timeoutMs });
      if (flags['exit-status'] && !isAccepted(sent)) this.endWith(9);
      if (flags.forward !== undefined && !flags.edit && isAccepted(sent)) await this.settleMoved(found, sent);
      yield { id: sent.event_id, ...sent };
    }
  }

  /** The user sent it elsewhere: it waits no longer for a target to which nobody forwards. */
  private async settleMoved({ entry }: FoundDelivery, sent: Delivered): Promise<void> {
    const { settleMoved } = await import('../../lib/webhooks/inbox/listener-registry.ts');
    const options = registryOptions(this.context, await this.session());
    const { target, status, latency_ms: latencyMs, answer } = sent;
    settleMoved(options, entry.inbox_id, { target, at: this.context.now(), status, latencyMs, answer });
  }
}
