import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { count, duration } from '../../lib/cli/flags.ts';
import { endpointActs } from '../../lib/cli/listening.ts';
import { momentLine } from '../../lib/cli/moment-line.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import { usage } from '../../lib/failure.ts';
import type { ListenOptions } from '../../lib/webhooks/listen.ts';
import type { Moment } from '../../lib/webhooks/moments.ts';

export default class WebhooksListen extends BaseCommand<typeof WebhooksListen> {
  static override summary = 'receive signed webhooks, verify them, and forward them to your app';
  static override description = `Registers an endpoint, proves with a signed self-test that deliveries arrive, and removes the endpoint on the way out. Each delivery is verified over its raw
bytes and stored before it is acknowledged; your app gets it byte for byte, again and again until it answers 2xx. What is left at the end is delivered by the
next listen. Ends on Ctrl-C.`;
  static override examples = [
    '<%= config.bin %> webhooks listen --forward localhost:3000/hook',
    `<%= config.bin %> webhooks listen --forward 3000/hook --json | jq -r 'select(.type=="forwarded").event_type'`,
  ];
  static override endsOnSignal = true;
  static override flags = {
    forward: Flags.string({
      helpValue: '<target>',
      summary: 'where deliveries go: localhost:3000/hook, 3000/hook or a URL',
    }),
    route: Flags.string({
      helpValue: '<type=target>',
      summary: "another target for some types: 'payment.*=localhost:4000/pay'",
      multiple: true,
      multipleNonGreedy: true,
    }),
    events: Flags.string({
      helpValue: '<types>',
      summary: 'only these types: decision.*,payment.settled [default: all]',
    }),
    port: count({ summary: 'loopback port to receive on [default: any free one]', min: 1, max: 65_535 }),
    'allow-remote': Flags.boolean({ summary: 'allow a target on another machine' }),
    ack: Flags.option({
      options: ['stored', 'forwarded'] as const,
      summary: 'answer the sender once stored, or with the status of your app [default: stored]',
    })(),
    concurrency: count({ summary: 'requests under way at one target [default: 8]', min: 1, max: 256 }),
    ordered: Flags.option({
      options: ['resource', 'all'] as const,
      summary: 'keep the order: of each resource, or of all; --ordered alone means resource',
    })(),
    'no-dedupe': Flags.boolean({ summary: 'forward an event id again that your app already took' }),
    'give-up-after': duration({ summary: 'stop retrying a delivery after this long [default: never]' }),
    timeout: duration({ summary: 'limit for one attempt at your app [default: 10s]' }),
    tolerance: count({
      helpValue: '<seconds>',
      summary: 'greatest age of a signature [default: 300]',
      min: 1,
      max: 86_400,
    }),
    'ready-file': Flags.string({ helpValue: '<file>', summary: 'write the ready moment there' }),
  };
  static override bareFlags = { ordered: 'resource' };

  async run(): Promise<Result> {
    const options = await this.options();
    const { listen } = await import('../../lib/webhooks/listen.ts');
    const columns = ['at', 'type', 'event_type', 'event_id', 'target', 'status', 'latency_ms', 'attempt', 'cause'].map(
      (path) => ({ path }),
    );
    return stream(this.told(listen(options)), columns, momentLine);
  }

  private async *told(moments: AsyncGenerator<Moment>): AsyncGenerator<Moment> {
    for await (const moment of moments) {
      if (moment.type === 'ready' && this.flags['ready-file'] !== undefined) {
        await writeFile(resolve(this.context.cwd, this.flags['ready-file']), `${JSON.stringify(moment)}\n`, {
          mode: 0o600,
        });
      }
      yield moment;
    }
  }

  private async options(): Promise<ListenOptions> {
    const { flags, context } = this;
    const { parseRoute, parseTarget } = await import('../../lib/webhooks/targets.ts');
    const targets = { allowRemote: flags['allow-remote'] };
    if (flags.forward === undefined && flags.route === undefined) {
      throw usage('no target to forward to', {
        param: '--forward',
        next: 'for example: --forward localhost:3000/hook',
      });
    }
    const forward = flags.forward === undefined ? null : parseTarget(flags.forward, targets);
    const routes = (flags.route ?? []).map((text) => parseRoute(text, targets));
    const session = await this.session();
    const { environment, account } = session.identity;
    if (environment.value !== 'local') {
      throw usage(`the ${environment.value} API cannot reach a port on this machine`, {
        code: 'not_reachable',
        next: 'listen against the embedded sandbox: credicorp sandbox start',
      });
    }
    return {
      ...{
        store: session.store(),
        scope: `${account}/${environment.value}`,
        environment: environment.value,
        forward,
        routes,
      },
      ...{ signal: context.signal, now: context.now, ticks: context.ticks, random: context.random, pid: context.pid },
      endpoints: endpointActs(context, session),
      token: () => randomBytes(24).toString('base64url'),
      isAlive: (pid) => context.signalProcess(pid, 0),
      record: session.writeDown(),
      events: flags.events?.split(',').map((type) => type.trim()) ?? ['*'],
      ack: flags.ack ?? 'stored',
      order: flags.ordered ?? 'none',
      dedupe: !flags['no-dedupe'],
      concurrency: flags.concurrency ?? 8,
      timeoutMs: flags.timeout ?? 10_000,
      tolerance: flags.tolerance ?? 300,
      ...(flags['give-up-after'] === undefined ? {} : { retry: { giveUpAfterMs: flags['give-up-after'] } }),
      ...(flags.port === undefined ? {} : { port: flags.port }),
    };
  }
}
