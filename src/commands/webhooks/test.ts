import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { colourOf } from '../../lib/cli/output/terminal-text.ts';
import { attemptWriter } from '../../lib/cli/webhooks/deliver-once.ts';
import { duration } from '../../lib/cli/flags.ts';
import { scoreText, verdictLine } from '../../lib/cli/webhooks/handler-test.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import { secretFlags, secretsToSignWith } from '../../lib/cli/webhooks/signing.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';
import type { CheckResult, HandlerTestScore } from '../../lib/webhooks/handler-tests/handler-tests.ts';

export default class WebhooksTest extends BaseCommand<typeof WebhooksTest> {
  static override summary = 'test your webhook handler with genuine, forged, old, repeated and malformed deliveries';
  static override description = `Posts many deliveries straight to your handler and checks its answers: genuine ones must get 2xx, others 4xx, and none may make it fail. Your handler
must use the same secret: give it with --secret-file, --secret-stdin or CC_WEBHOOK_SECRET, otherwise the listener's own secret is used. Ends with 9
when a check fails.`;
  static override examples = [
    '<%= config.bin %> webhooks test --forward localhost:3000/hook --secret-file secret.txt',
    `<%= config.bin %> webhooks test --forward localhost:3000/hook --secret-file secret.txt --junit report.xml --json | jq -r 'select(.verdict=="failed").name'`,
  ];
  static override recorded: Recording[] = [{ args: '--forward {handler} --secret-file secret.txt', status: 9 }];
  static override flags = {
    forward: Flags.string({
      helpValue: '<target>',
      required: true,
      summary: 'your handler: localhost:3000/hook, 3000/hook or a URL',
    }),
    'allow-remote': Flags.boolean({ summary: 'allow a handler on another machine' }),
    only: Flags.option({
      options: ['signature', 'events', 'bodies', 'repeats', 'load'] as const,
      summary: 'only these checks; signature: who signed, what, and when',
    })(),
    junit: Flags.string({ helpValue: '<file>', summary: 'also write the results to this file as JUnit XML' }),
    timeout: duration({ summary: 'time limit for each answer of the handler [default: 10s]' }),
    ...secretFlags,
  };

  async run(): Promise<Result> {
    const { color } = this.view;
    const paint = await colourOf(this.context, this.context.stdout, color);
    const width = this.context.stdout.columns || 80;
    const columns = ['number', 'group', 'name', 'verdict', 'latency_ms', 'explanation'].map((path) => ({ path }));
    return stream(this.verdicts(), columns, (item) => verdictLine(item, width, paint));
  }

  private async *verdicts(): AsyncGenerator<CheckResult | HandlerTestScore> {
    const { flags, context } = this;
    const [{ parseTarget }, { runHandlerTests }] = await Promise.all([
      import('../../lib/webhooks/forward/targets.ts'),
      import('../../lib/webhooks/handler-tests/handler-tests.ts'),
    ]);
    const target = parseTarget(flags.forward, { allowRemote: flags['allow-remote'] });
    const session = await this.session();
    const given = (flags['secret-file']?.length ?? 0) + Number(flags['secret-stdin']);
    if (given > 1) throw usage('one secret is enough: the handler is tried with rotated ones as well');
    const [secret = ''] = await secretsToSignWith(context, session, flags);
    const checks: CheckResult[] = [];
    const events = runHandlerTests({
      ...{ target, secret, now: context.now, ticks: context.ticks, signal: context.signal },
      token: () => context.secureBytes(18).toString('base64url'),
      timeoutMs: flags.timeout ?? 10_000,
      ...(flags.only === undefined ? {} : { only: flags.only }),
      onAttempt: await attemptWriter(context, session, target),
    });
    for await (const event of events) {
      if (event.type === 'check') checks.push(event);
      else {
        if (event.failed > 0) this.endWith(9);
        // Rows of a pipe are checks; the score has none of their columns, and people see it all the same.
        if (this.inRows) {
          this.note(scoreText(event));
          break;
        }
      }
      yield event;
    }
    await this.report(target, checks);
  }

  private get inRows(): boolean {
    return this.context.stdout.isTTY !== true && !this.view.json && this.view.field === null;
  }

  private async report(target: URL, checks: readonly CheckResult[]): Promise<void> {
    if (this.flags.junit === undefined) return;
    const { junitReport } = await import('../../lib/webhooks/handler-tests/handler-tests.ts');
    await writeFile(resolve(this.context.cwd, this.flags.junit), junitReport(target.href, checks));
  }
}
