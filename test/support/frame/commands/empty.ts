import { BaseCommand } from '../../../../src/lib/cli/command.ts';
import { object, page, type Result } from '../../../../src/lib/cli/result.ts';

/** Results that a truth test would swallow, with notes on the way. */
export default class Empty extends BaseCommand<typeof Empty> {
  async run(): Promise<Result> {
    this.note('a note for people');
    if (this.context.env['AS'] === 'page') return page({ data: [] }, [{ path: 'id' }], 'nothing there');
    return object(0);
  }
}
