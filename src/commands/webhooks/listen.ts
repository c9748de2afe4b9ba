import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { replaceFile } from '../../lib/auth/private-file.ts';
import { colourOf } from '../../lib/cli/colour.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { confirmLive } from '../../lib/cli/confirm.ts';
import { type Beside, runBeside } from '../../lib/cli/exec.ts';
import { listenFlags } from '../../lib/cli/listen-flags.ts';
import { listenOptions, type Prepared } from '../../lib/cli/listen-options.ts';
import type { SessionFlags } from '../../lib/cli/session.ts';
import { calmLines } from '../../lib/cli/moment-view.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import type { Moment } from '../../lib/webhooks/moments.ts';

export default class WebhooksListen extends BaseCommand<typeof WebhooksListen> {
  static override summary = 'receive signed webhooks, verify them, and forward them to your app';
  static override description = `Registers an endpoint, proves with a signed self-test that deliveries arrive, and removes the endpoint on the way out. Each delivery is verified over its raw
bytes and stored before it is acknowledged; your app gets it byte for byte, again and again until it answers 2xx. What is left at the end is delivered by the
next listen. The API must reach this machine: the embedded sandbox does, hosted ones need --tunnel or --public-url. Ends on Ctrl-C, or with --exec.`;
  static override examples = [
    '<%= config.bin %> webhooks listen --forward localhost:3000/hook',
    `<%= config.bin %> webhooks listen --forward 3000/hook --json | jq -r 'select(.type=="forwarded").event_type'`,
    `<%= config.bin %> webhooks listen --forward 3000/hook --exec '<%= config.bin %> webhooks trigger decision.completed'`,
  ];
  static override endsOnSignal = true;
  static override flags = listenFlags;
  static override bareFlags = { ordered: 'resource' };

  async run(): Promise<Result> {
    const { context, flags } = this;
    const leave = new AbortController();
    const session = await this.session();
    const prepared = await listenOptions(context, session, flags, AbortSignal.any([context.signal, leave.signal]));
    const summary = 'register a webhook endpoint';
    await confirmLive(context, session, { summary, yes: flags.yes, mayAsk: this.mayAsk });
    const moments = this.told(prepared, () => leave.abort());
    if (context.stdout.isTTY !== true || this.view.json || this.view.field !== null || this.view.quiet)
      return stream(this.counted(moments), COLUMNS);
    const paint = await colourOf(context, context.stdout, this.view.color);
    const lines = calmLines(moments, { width: context.stdout.columns || 80, paint });
    return stream(lines, COLUMNS, String);
  }

  /** `--timeout` is the app's limit here; calls to the API keep their own. */
  protected override get sessionFlags(): SessionFlags {
    return { ...super.sessionFlags, timeoutMs: 30_000 };
  }

  /** Where the calm view is not shown, the count at the end is for people all the same. */
  private async *counted(moments: AsyncGenerator<Moment>): AsyncGenerator<Moment> {
    for await (const moment of moments) {
      yield moment;
      if (moment.type !== 'closed') continue;
      const { received, forwarded, rejected, duplicates, failed, waiting } = moment;
      this.note(
        `${received} received, ${forwarded} forwarded, ${rejected} rejected, ${duplicates} duplicates, ${failed} failed, ${waiting} waiting`,
      );
    }
  }

  private async *told(prepared: Prepared, leave: () => void): AsyncGenerator<Moment> {
    const { listen } = await import('../../lib/webhooks/listen.ts');
    const { options } = prepared;
    const again = (): Promise<void> => prepared.refresh().catch(() => undefined);
    let beside: Beside | null = null;
    // One that an earlier listener left would say ready too soon.
    if (this.readyFile !== null) await rm(this.readyFile, { force: true });
    try {
      for await (const moment of listen(options)) {
        if (moment.type === 'ready') {
          if (this.readyFile !== null) replaceFile(this.readyFile, `${JSON.stringify(moment)}\n`, 0o600);
          // Other secrets only explain: a slow keychain must not hold the listener up.
          await Promise.race([again(), pause(500)]);
        }
        // Another endpoint may have been made since.
        if (moment.type === 'rejected' && SECRET_CAUSES.has(moment.cause)) void again();
        yield moment;
        // An endpoint that was lost and registered again is ready once more.
        if (moment.type === 'ready') beside ??= this.startBeside(prepared, leave);
      }
    } finally {
      await beside?.stop();
    }
  }

  private get readyFile(): string | null {
    const file = this.flags['ready-file'];
    return file === undefined ? null : resolve(this.context.cwd, file);
  }

  /** The user's own command gets the secret as its app would, and its end is ours. */
  private startBeside({ secrets, options }: Prepared, leave: () => void): Beside | null {
    const { exec } = this.flags;
    if (exec === undefined) return null;
    const secret = secrets.own ?? options.secrets?.()[0] ?? '';
    const beside = runBeside(this.context, exec, { CC_WEBHOOK_SECRET: secret });
    void beside.ended.then((status) => {
      this.endWith(status);
      leave();
    });
    return beside;
  }
}

const SECRET_CAUSES = new Set(['wrong_secret', 'secret_other_endpoint', 'secret_other_environment']);

const COLUMNS = ['at', 'type', 'event_type', 'event_id', 'target', 'status', 'latency_ms', 'attempt', 'cause'].map(
  (path) => ({ path }),
);
