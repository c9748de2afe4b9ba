import { startInBackground } from '../../lib/cli/sandbox/background-sandbox.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { usage } from '../../lib/failure.ts';
import { object, type Result, stream } from '../../lib/cli/result.ts';
import { withSpinner } from '../../lib/cli/output/status-line.ts';
import { holdSandboxLock, confirmedSandbox } from '../../lib/cli/sandbox/running-sandbox.ts';
import { SANDBOX_FLAGS } from '../../lib/cli/sandbox/start-sandbox.ts';
import {
  type Ready,
  readyLine,
  sandboxOptions,
  sandboxReady,
  startSandbox,
} from '../../lib/cli/sandbox/start-sandbox.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class SandboxStart extends BaseCommand<typeof SandboxStart> {
  static override summary = 'start the embedded sandbox: the whole API on this machine, offline';
  static override description =
    'Creates the profile "local" and makes it the active one if there is none, so that the next command just works. Ends on Ctrl-C. ' +
    'It keeps at least the newest 2,000 events and the last 1,000 requests: docs/sandbox.md.';
  static override examples = [
    '<%= config.bin %> sandbox start',
    '<%= config.bin %> sandbox start --background --port 0 --seed ci --json',
  ];
  static override recorded: Recording[] = [
    { args: '--port 0 --clock-frozen --seed surface', stage: 'start', runsUntil: 'end' },
    { args: '--background --port 0', stage: 'offline' },
  ];
  static override endsOnSignal = true;
  static override flags = SANDBOX_FLAGS;

  async run(): Promise<Result> {
    const options = await sandboxOptions(this.context, this.flags);
    const lock = await holdSandboxLock(this.context);
    if (lock === 'busy') return this.already();
    if (this.flags.background) {
      if (typeof lock === 'function') lock();
      this.endsOfItself();
      const own = new Set(Object.keys(SANDBOX_FLAGS));
      const words = Object.entries(this.flags).filter(([name]) => own.has(name));
      const ready = await withSpinner(
        this.context,
        'starting the sandbox',
        startInBackground(this.context, words, this.flags['ready-file']),
      );
      return ready === 'already' ? this.already() : object(ready, { id: null });
    }
    const session = await this.session();
    const server = await startSandbox(this.context, options, this.config.version, session.exchangeRecorder());
    const ready = await sandboxReady(this.context, server, options);
    const stop = async (): Promise<void> => {
      await server.stop();
      if (typeof lock === 'function') lock();
    };
    return stream(untilStopped(this.context.signal, ready, stop), [{ path: 'base_url' }], readyLine);
  }

  private async already(): Promise<Result> {
    const running = await confirmedSandbox(this.context);
    if (running === null)
      throw usage('another sandbox is starting or stopping right now', { next: 'try again in a moment' });
    if (running.provider !== (this.flags.provider ?? 'credicorp'))
      throw usage(`a sandbox of ${running.provider} is already running`, {
        next: 'end it first: credicorp sandbox stop',
      });
    this.note(
      `the sandbox is already running at ${running.base_url} (process ${running.pid}); end it with: credicorp sandbox stop`,
    );
    const { admin_token: _, ...shown } = running;
    return object({ already_running: true, ...shown });
  }
}

async function* untilStopped(signal: AbortSignal, ready: Ready, stop: () => Promise<void>): AsyncGenerator<Ready> {
  try {
    yield ready;
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await stop();
  }
}
