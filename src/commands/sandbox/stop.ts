import { usage } from '../../lib/failure.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { runningSandbox, surelyRunning } from '../../lib/cli/running.ts';

export default class SandboxStop extends BaseCommand<typeof SandboxStop> {
  static override summary = 'end the embedded sandbox that runs in the background or in another terminal';
  static override examples = ['<%= config.bin %> sandbox stop', '<%= config.bin %> sandbox stop --quiet'];

  async run(): Promise<Result> {
    const running = await surelyRunning(this.context);
    if (!running) {
      this.note('no sandbox is running');
      return object({ stopped: false });
    }
    this.context.signalProcess(running.pid, 'SIGTERM');
    // It finishes running requests for up to 2 s (sandbox page §1); twice that is the limit here.
    for (let waited = 0; (await runningSandbox(this.context))?.pid === running.pid; waited += 25) {
      if (waited > 4000) {
        throw usage(`the sandbox (process ${running.pid}) did not end`, {
          next: `end it yourself: kill ${running.pid}`,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    this.note(`stopped the sandbox at ${running.base_url}`);
    return object({ stopped: true, ...running });
  }
}
