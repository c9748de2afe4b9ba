import { colourOf, type Paint } from '../../lib/cli/output/terminal-text.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { confirmLive } from '../../lib/cli/ask/prompt.ts';
import { listenFlags } from '../../lib/cli/webhooks/listener-options.ts';
import { listenerOptions, type ListenerSetup } from '../../lib/cli/webhooks/listener-options.ts';
import { runListener } from '../../lib/cli/webhooks/run-listener.ts';
import type { ListenerKeys } from '../../lib/cli/webhooks/listener-keys.ts';
import { listenerLines } from '../../lib/cli/webhooks/listener-lines.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import type { SessionFlags } from '../../lib/cli/session.ts';
import type { ListenerEvent } from '../../lib/contract/listener-events.ts';
import type { ListenOptions } from '../../lib/webhooks/listen/listen.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

type Run = (prepared: ListenerSetup) => AsyncGenerator<ListenerEvent>;

export default class WebhooksListen extends BaseCommand<typeof WebhooksListen> {
  static override summary = 'receive signed webhooks, verify them, and forward them to your app';
  static override description = `Registers an endpoint, proves with a signed self-test that deliveries arrive, and removes the endpoint at the end. Each delivery is verified over its raw
bytes and stored before it is acknowledged; your app gets it byte for byte, and again until it answers 2xx. What is not delivered at the end is delivered by the next listen to the same app. The API must be able to reach this machine: the embedded sandbox can, hosted ones need --tunnel or --public-url. Ends on Ctrl-C, or with --exec.
On a terminal keys steer it (? lists them): pause, filter, send the last again; --no-input turns them off.`;
  static override examples = [
    '<%= config.bin %> webhooks listen --forward localhost:3000/hook',
    `<%= config.bin %> webhooks listen --forward 3000/hook --json | jq -r 'select(.type=="forwarded").event_type'`,
    `<%= config.bin %> webhooks listen --forward 3000/hook --exec '<%= config.bin %> webhooks trigger decision.completed'`,
  ];
  static override recorded: Recording[] = [
    { args: '--no-forward', stage: 'listening', runsUntil: 'listening', byType: true },
  ];
  static override endsOnSignal = true;
  static override flags = listenFlags;
  static override bareFlags = { ordered: 'resource', inspect: '0' };

  async run(): Promise<Result> {
    const { context, flags } = this;
    const leave = new AbortController();
    const session = await this.session();
    const prepared = await listenerOptions(context, session, flags, AbortSignal.any([context.signal, leave.signal]));
    const summary = 'register a webhook endpoint';
    await confirmLive(context, session.identity.environment.value, { summary, yes: flags.yes, mayAsk: this.mayAsk });
    const hasLines = context.stdout.isTTY === true && !this.view.json && this.view.field === null && !this.view.quiet;
    const runOptions = {
      noteCounts: hasLines ? null : (line: string): void => this.note(line),
      readyFile: flags['ready-file'],
      exec: flags.exec,
      ended: (status: number) => {
        this.endWith(status);
        leave.abort();
      },
    };
    const run: Run = (given) => runListener(context, given, runOptions);
    if (!hasLines) return stream(await this.listener(prepared, run, null), COLUMNS);
    const paint = await colourOf(context, context.stdout, this.view.color);
    const keys = await this.keys(prepared, paint);
    const events = await this.listener(prepared, run, keys);
    return stream(listenerLines(keys?.during(events) ?? events, { output: context.stdout, paint }), COLUMNS, String);
  }

  /** Keys in the terminal; null where none are read. */
  private async keys(setup: ListenerSetup, paint: Paint): Promise<ListenerKeys | null> {
    if (!this.mayAsk || this.flags['secret-stdin']) return null;
    const { canReadKeys, ListenerKeys } = await import('../../lib/cli/webhooks/listener-keys.ts');
    if (!canReadKeys(this.context)) return null;
    return new ListenerKeys({ context: this.context, session: await this.session(), setup, paint });
  }

  /** With `--inspect` its page hears it too; without, nothing of the page is loaded. */
  private async listener(
    given: ListenerSetup,
    run: Run,
    keys: ListenerKeys | null,
  ): Promise<AsyncGenerator<ListenerEvent>> {
    const { inspect: port } = this.flags;
    const options: ListenOptions =
      keys === null ? given.options : { ...given.options, onOpen: (controls) => keys.steer(controls) };
    const prepared = { ...given, options };
    if (port === undefined) return run(prepared);
    const { inspectListener } = await import('../../lib/cli/webhooks/inspect-listener.ts');
    const onPage = (url: string): void => keys?.showPage(url);
    return inspectListener({ context: this.context, session: await this.session(), prepared, port, onPage, run });
  }

  /** `--timeout` is the app's limit here; calls to the API keep their own. */
  protected override get sessionFlags(): SessionFlags {
    return { ...super.sessionFlags, timeoutMs: 30_000 };
  }
}

const COLUMNS = ['at', 'type', 'event_type', 'event_id', 'target', 'status', 'latency_ms', 'attempt', 'cause'].map(
  (path) => ({ path }),
);
