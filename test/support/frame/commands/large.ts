import { BaseCommand } from '../../../../src/lib/cli/command.ts';
import { object, type Result, stream, text } from '../../../../src/lib/cli/result.ts';

/** 300 kB in one document, or as lines. */
export default class Large extends BaseCommand<typeof Large> {
  static override args = {};

  async run(): Promise<Result> {
    const lines = Array.from({ length: 3000 }, (_, index) => `${String(index).padStart(6, '0')} ${'x'.repeat(92)}`);
    if (this.context.env['AS'] === 'text') return text(lines.join('\n'), {});
    if (this.context.env['AS'] === 'object') return object({ id: 'one', lines });
    return stream(endless(), [{ path: 'id' }]);
  }
}

async function* endless(): AsyncGenerator<{ id: string }> {
  for (let n = 0; n < 10_000_000; n += 1) yield { id: `app_${n}` };
}
