/** Flags of commands that make many objects from a file. */
import * as Flags from '@oclif/core/flags';
import { count } from '../flags.ts';

export const bulkFlags = {
  from: Flags.string({
    helpGroup: 'BULK',
    helpValue: '<file>',
    summary: 'one for each row of a CSV or NDJSON file, or of stdin with -; columns are named like flags',
    exclusive: ['wait', 'open', 'qr'],
  }),
  concurrency: count({
    helpGroup: 'BULK',
    summary: 'rows under way at once, 1 to 50 [default: 5]',
    min: 1,
    max: 50,
    dependsOn: ['from'],
  }),
  unordered: Flags.boolean({
    helpGroup: 'BULK',
    summary: 'results as they come instead of in the order of the rows',
    dependsOn: ['from'],
  }),
  rejects: Flags.string({
    helpGroup: 'BULK',
    helpValue: '<file>',
    summary: 'write rows that were not done there, ready to be run again',
    dependsOn: ['from'],
  }),
};

export interface BulkChoices {
  from: string;
  concurrency?: number | undefined;
  unordered?: boolean | undefined;
  rejects?: string | undefined;
}
