import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../../../src/lib/cli/command.ts';
import { object, page, type Result, stream } from '../../../../src/lib/cli/result.ts';
import { parseJson } from '../../../../src/lib/contract/json.ts';

/** Shows a document given as text, in each form a command may choose. */
export default class Show extends BaseCommand<typeof Show> {
  static override flags = { document: Flags.string({ required: true }), as: Flags.string({ default: 'object' }) };

  async run(): Promise<Result> {
    const document = parseJson(this.flags.document);
    const columns = [
      { path: 'id' },
      { path: 'status' },
      { path: 'amount_pence', title: 'amount' },
      { path: 'business.name' },
    ];
    if (this.flags.as === 'page') return page(document as { data: unknown[] }, columns, 'no applications');
    if (this.flags.as === 'stream') return stream(each((document as { data: unknown[] }).data), columns);
    return object(document);
  }
}

async function* each(items: readonly unknown[]): AsyncGenerator<unknown> {
  yield* items;
}
