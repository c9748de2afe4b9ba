import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../../../src/lib/cli/command.ts';
import { nothing, type Result } from '../../../../src/lib/cli/result.ts';
import { Failure, type FailureKind } from '../../../../src/lib/failure.ts';

/** Ends with a failure of the kind asked for. */
export default class Refuse extends BaseCommand<typeof Refuse> {
  static override flags = { kind: Flags.string(), token: Flags.string() };
  /** What a careless command would keep in reach of a dump. */
  token = 'sk_live_PLANTEDINAFIELD0001';

  async run(): Promise<Result> {
    const { kind } = this.flags;
    if (kind === 'crash') throw new TypeError('cannot read sk_live_PLANTEDINACRASH00001 of undefined');
    if (kind) {
      throw new Failure(kind as FailureKind, 'the term is out of range', {
        status: 422,
        type: 'invalid_request_error',
        code: 'term_out_of_range',
        param: 'term_months',
        requestId: 'req_7Hs2bV9k4LmQ',
        next: 'use --term 3 to 60',
      });
    }
    return nothing;
  }
}
