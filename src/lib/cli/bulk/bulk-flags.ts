/** Flags of commands that create many objects from a file. */
import * as Flags from '@oclif/core/flags';
import { count, notForAgents } from '../flags.ts';

export const bulkFlags = {
  from: notForAgents(
    Flags.string({
      helpGroup: 'BULK',
      helpValue: '<file>',
      summary: 'create one for each row of a CSV or NDJSON file (- for stdin); columns are named like flags',
      exclusive: ['wait', 'open', 'qr'],
    }),
  ),
  concurrency: notForAgents(
    count({
      helpGroup: 'BULK',
      summary: 'rows sent at the same time, 1 to 50 [default: 5]',
      min: 1,
      max: 50,
      dependsOn: ['from'],
    }),
  ),
  unordered: notForAgents(
    Flags.boolean({
      helpGroup: 'BULK',
      summary: 'print results as they arrive instead of in row order',
      dependsOn: ['from'],
    }),
  ),
  rejects: notForAgents(
    Flags.string({
      helpGroup: 'BULK',
      helpValue: '<file>',
      summary: 'write the rows that failed to this file, ready to be run again',
      dependsOn: ['from'],
    }),
  ),
};

/** What these flags say, once `--from` is given. */
export interface BulkOptions {
  from: string;
  concurrency?: number | undefined;
  unordered?: boolean | undefined;
  rejects?: string | undefined;
}
