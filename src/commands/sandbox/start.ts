import { randomBytes } from 'node:crypto';
import * as Flags from '@oclif/core/flags';
import { detach } from '../../lib/cli/background.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { usage } from '../../lib/failure.ts';
import { count } from '../../lib/cli/flags.ts';
import { object, type Result, stream } from '../../lib/cli/result.ts';
import { during } from '../../lib/cli/progress.ts';
import { holdSandboxLock, surelyRunning } from '../../lib/cli/running.ts';
import { type Ready, readyLine, sandboxOptions, sandboxReady, serveSandbox } from '../../lib/cli/sandbox.ts';

export default class SandboxStart extends BaseCommand<typeof SandboxStart> {
  static override summary = 'start the embedded sandbox: the whole API on this machine, offline';
  static override description =
    'Makes the profile "local" and makes it the active one where none is, so that the next command just works. Ends on Ctrl-C.';
  static override examples = [
    '<%= config.bin %> sandbox start',
    '<%= config.bin %> sandbox start --background --port 0 --seed ci --json',
  ];
  static override endsOnSignal = true;
  static override flags = {
    background: Flags.boolean({ char: 'b', summary: 'leave it running and return; end it with sandbox stop' }),
    port: count({ summary: 'port to listen on, 0 for any free one [default: 4010]', max: 65_535 }),
    host: Flags.string({
      summary: 'address to listen on; off loopback other machines can reach it [default: 127.0.0.1]',
    }),
    seed: Flags.string({ helpValue: '<text>', summary: 'the same seed gives the same ids [default: random]' }),
    provider: Flags.option({
      options: ['credicorp', 'acountpay'] as const,
      summary:
        'whose API to imitate; acountpay: its token and payment calls, profile acountpay-local [default: credicorp]',
    })(),
    tier: Flags.option({
      options: ['build', 'launch', 'scale'] as const,
      summary: 'rate limits to rehearse [default: build]',
    })(),
    'no-rate-limit': Flags.boolean({ summary: 'never refuse for rate' }),
    'no-auto-submit': Flags.boolean({
      summary: 'wait for the journey page or a submit instead of imitating the applicant',
    }),
    lenient: Flags.boolean({ summary: 'approve unknown companies instead of refusing them' }),
    strict: Flags.boolean({ summary: 'ask for an e-mail or return URL on create, as documented' }),
    companies: Flags.string({
      helpValue: '<file>',
      summary: 'more reserved companies, in the form of sandbox companies --json',
    }),
    data: Flags.string({ helpValue: '<file>', summary: 'keep the state in this file [default: memory only]' }),
    'clock-start': Flags.string({ helpValue: '<instant>', summary: 'where the sandbox clock begins (ISO 8601)' }),
    'clock-frozen': Flags.boolean({ summary: 'only sandbox clock advance moves the clock' }),
    speed: Flags.string({
      helpValue: '<factor>',
      summary: 'how much faster than real time the clock runs [default: 1]',
    }),
    'jwt-alg': Flags.option({
      options: ['ES256', 'RS256'] as const,
      summary: 'algorithm of access tokens [default: ES256]',
    })(),
    'v1-order': Flags.option({
      options: ['new-first', 'old-first'] as const,
      summary: 'order of signatures while a secret rotates',
    })(),
    'webhook-debug-headers': Flags.boolean({ summary: 'add event id and attempt to deliveries' }),
    'ready-file': Flags.string({ helpValue: '<file>', summary: 'write the ready line there once it listens' }),
  };

  async run(): Promise<Result> {
    const options = await sandboxOptions(this.context, this.flags, randomBytes(6).toString('hex'));
    const lock = await holdSandboxLock(this.context);
    if (lock === 'busy') return this.already();
    if (this.flags.background) {
      if (typeof lock === 'function') lock();
      this.endsOfItself();
      const own = new Set(Object.keys(SandboxStart.flags));
      const words = Object.entries(this.flags).filter(([name]) => own.has(name));
      const ready = await during(
        this.context,
        'starting the sandbox',
        detach(this.context, words, this.flags['ready-file']),
      );
      return ready === 'already' ? this.already() : object(ready, { id: null });
    }
    const session = await this.session();
    const server = await serveSandbox(this.context, options, this.config.version, session.writeDown());
    const ready = await sandboxReady(this.context, server, options);
    const stop = async (): Promise<void> => {
      await server.stop();
      if (typeof lock === 'function') lock();
    };
    return stream(untilStopped(this.context.signal, ready, stop), [{ path: 'base_url' }], readyLine);
  }

  private async already(): Promise<Result> {
    const running = await surelyRunning(this.context);
    if (running === null)
      throw usage('another sandbox is starting or ending right now', { next: 'try again in a moment' });
    if (running.provider !== (this.flags.provider ?? 'credicorp'))
      throw usage(`a sandbox of ${running.provider} runs already`, { next: 'end it first: credicorp sandbox stop' });
    this.note(
      `the sandbox already runs at ${running.base_url} (process ${running.pid}); end it with: credicorp sandbox stop`,
    );
    return object({ already_running: true, ...running });
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
