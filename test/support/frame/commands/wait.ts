import { appendFileSync } from 'node:fs';
import { once } from 'node:events';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../../../src/lib/cli/command.ts';
import { type Result, stream } from '../../../../src/lib/cli/result.ts';

/** Waits for a signal, and tidies up in its generator's own `finally`. */
export default class Wait extends BaseCommand<typeof Wait> {
  static override flags = { tidy: Flags.string({ required: true }) };

  async run(): Promise<Result> {
    return stream(rows(this.context.signal, this.flags.tidy), [{ path: 'id' }]);
  }
}

async function* rows(signal: AbortSignal, tidy: string): AsyncGenerator<{ id: string }> {
  // A pending promise alone does not keep a process alive; what a real command waits for does.
  const open = setInterval(() => undefined, 1000);
  try {
    yield { id: 'ready' };
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    clearInterval(open);
    appendFileSync(tidy, 'tidied\n');
  }
}
