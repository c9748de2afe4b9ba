import { BaseCommand } from '../lib/cli/command.ts';
import { colourOf, plainLine } from '../lib/cli/output/terminal-text.ts';
import { STATUS } from '../lib/cli/explain.ts';
import { duration } from '../lib/cli/flags.ts';
import { type ApiHost, apiHost } from '../lib/cli/optional-identity.ts';
import { startSpinner } from '../lib/cli/output/status-line.ts';
import { object, type Result } from '../lib/cli/result.ts';
import type { Platform } from '../lib/api/platform.ts';
import type { Recording } from '../lib/cli/manifest.ts';

const PAUSES_MS = [500, 1000, 2000, 3000, 5000];

export default class Status extends BaseCommand<typeof Status> {
  static override summary = 'show the status of the platform, the worst component first; exit status 6 when it is down';
  static override description =
    "Needs no credential. Asks the profile's host; with the profile local, the embedded sandbox. --wait waits until it is up, and ends with 8 when the time runs out.";
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --wait=30s --field status && echo up',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{}];
  static override bareFlags = { wait: '5m' };
  static override flags = {
    wait: duration({ summary: 'wait until it is up; --wait alone means --wait=5m' }),
  };

  async run(): Promise<Result> {
    const home = apiHost(await this.session(), this.flags['api-base']);
    const platform = this.flags.wait === undefined ? await this.ask(home) : await this.waitUp(home, this.flags.wait);
    const document = { ...platform, environment: home.environment, base: home.base };
    if (platform.status === 'down') this.endWith(this.flags.wait === undefined ? STATUS.unavailable : STATUS.pending);
    const paint = await colourOf(this.context, this.context.stdout, this.view.color);
    const colour = platform.status === 'operational' ? paint.good : platform.status === 'down' ? paint.bad : paint.warn;
    const lines = platform.components.map(({ name, status }) => `  ${plainLine(name)}: ${plainLine(status)}`);
    if (platform.reason !== null) lines.push(`  ${plainLine(platform.reason)}`);
    const human = `${colour(platform.status)}  ${home.base} (${home.environment})\n${lines.map((line) => `${line}\n`).join('')}`;
    return object(document, { id: platform.status, human });
  }

  /** Not repeated: that it does not answer is the answer. */
  private async ask({ base }: ApiHost): Promise<Platform> {
    const { platformStatus } = await import('../lib/api/platform.ts');
    const { send } = await (await this.session()).transport();
    return platformStatus(send, base, { timeoutMs: this.sessionFlags.timeoutMs, signal: this.context.signal });
  }

  /** Up is whatever is not down. */
  private async waitUp(home: ApiHost, limitMs: number): Promise<Platform> {
    const { ticks, signal } = this.context;
    const { sleep } = await import('../lib/api/retry.ts');
    const end = ticks() + limitMs;
    const spinner = startSpinner(this.context, `waiting for ${new URL(home.base).host}`);
    try {
      for (let turn = 0; ; turn += 1) {
        const platform = await this.ask(home);
        const left = end - ticks();
        if (platform.status !== 'down' || left <= 0) return platform;
        await sleep(Math.min(left, PAUSES_MS[Math.min(turn, PAUSES_MS.length - 1)] ?? 0), signal);
      }
    } finally {
      spinner.stop();
    }
  }
}
