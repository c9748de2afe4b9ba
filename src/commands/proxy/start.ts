import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { confirmLive } from '../../lib/cli/ask/prompt.ts';
import { count } from '../../lib/cli/flags.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import type { Proxy } from '../../lib/proxy/proxy.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

const PORT = 4020;
const GRACE_MS = 2000;
/** A program that knows the token of this run acts with ours. */
const SHARES_TOKEN = "let programs that send this run's token act with the profile's";

export default class ProxyStart extends BaseCommand<typeof ProxyStart> {
  static override summary = "record your app's own calls: a reverse proxy to the profile's host";
  static override description =
    'Point your app at the URL it prints instead of the API, and logs tail shows each call. It changes nothing, passes errors on unchanged, and answers on this machine only. Ends on Ctrl-C.';
  static override examples = [
    '<%= config.bin %> proxy start --port 0',
    '<%= config.bin %> proxy start --port 0 --auth --json | jq -r \'select(.type=="ready").token\'',
  ];
  static override recorded: Recording[] = [{ args: '--port 0', runsUntil: 'usual' }];
  static override endsOnSignal = true;
  static override flags = {
    port: count({ summary: `port to listen on, 0 for any free one [default: ${PORT}]`, max: 65_535 }),
    auth: Flags.boolean({
      summary: "put the profile's token in the place of this run's token, which it prints; other calls need their own",
    }),
    yes: Flags.boolean({ char: 'y', summary: 'do not ask before --auth on live' }),
  };

  async run(): Promise<Result> {
    const session = await this.session();
    if (this.flags.auth) {
      const { yes } = this.flags;
      await confirmLive(this.context, session.identity.environment.value, {
        summary: SHARES_TOKEN,
        yes,
        mayAsk: this.mayAsk,
      });
    }
    const { newRunToken, openProxy } = await import('../../lib/proxy/proxy.ts');
    const { env, now, ticks } = this.context;
    const { base, environment } = session.identity;
    const runToken = this.flags.auth ? newRunToken(this.context.secureBytes(24)) : null;
    const proxy = await openProxy({
      port: this.flags.port ?? PORT,
      target: base.value,
      environment: environment.value,
      auth: runToken === null ? null : { runToken, token: (ask) => session.token(ask) },
      record: session.exchangeRecorder(),
      ...{ now, ticks, timeoutMs: this.sessionFlags.timeoutMs },
      proxy: { https: env['HTTPS_PROXY'] ?? env['https_proxy'], none: env['NO_PROXY'] ?? env['no_proxy'] },
    });
    const ready = {
      type: 'ready',
      url: proxy.url,
      target: base.value,
      environment: environment.value,
      auth: this.flags.auth,
      token: runToken,
    };
    return stream(
      untilStopped(this.context.signal, ready, proxy),
      [{ path: 'type' }, { path: 'url' }, { path: 'target' }],
      line,
      (event) => ((event as { type: string }).type === 'ready' ? proxy.url : null),
    );
  }
}

async function* untilStopped(signal: AbortSignal, ready: object, proxy: Proxy): AsyncGenerator<object> {
  try {
    yield ready;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  } finally {
    await proxy.close(GRACE_MS);
  }
  yield { type: 'closed', url: proxy.url, ...proxy.counts };
}

function line(event: unknown): string {
  const { type, url, target, environment, token, calls, failed } = event as Record<string, string | number | null>;
  if (type === 'closed') return `${calls} calls passed, ${failed} of them failed`;
  const mark = environment === 'live' ? 'LIVE: ' : '';
  const send =
    token === null ? '' : `\n  your app sends   Authorization: Bearer ${token}   and acts with the profile's token`;
  return `${mark}recording ${url} -> ${target}\n  point your app at ${url}; see its calls with: credicorp logs tail --source proxy${send}`;
}
