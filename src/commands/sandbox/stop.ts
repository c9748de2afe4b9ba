import { usage } from '../../lib/failure.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { withSpinner } from '../../lib/cli/output/status-line.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { runningSandbox, confirmedSandbox } from '../../lib/cli/sandbox/running-sandbox.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class SandboxStop extends BaseCommand<typeof SandboxStop> {
  static override summary = 'stop the embedded sandbox that runs in the background or in another terminal';
  static override examples = ['<%= config.bin %> sandbox stop', '<%= config.bin %> sandbox stop --quiet'];
  static override recorded: Recording[] = [{ stage: 'offline', after: 'profiles remove' }];

  async run(): Promise<Result> {
    const running = await confirmedSandbox(this.context);
    if (!running) {
      this.note('no sandbox is running');
      return object({ stopped: false });
    }
    this.context.signalProcess(running.pid, 'SIGTERM');
    await withSpinner(this.context, 'waiting for the sandbox to end', this.ended(running.pid));
    this.note(`stopped the sandbox at ${running.base_url}`);
    const { admin_token: _, ...shown } = running;
    return object({ stopped: true, ...shown });
  }

  /** It finishes running requests for up to 2 s (sandbox.md#start-up); twice that is the limit here. @throws Failure */
  private async ended(pid: number): Promise<void> {
    for (let waited = 0; (await runningSandbox(this.context))?.pid === pid; waited += 25) {
      if (waited > 4000) {
        throw usage(`the sandbox (process ${pid}) did not end`, { next: `end it yourself: kill ${pid}` });
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
