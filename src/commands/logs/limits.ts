import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { count, duration } from '../../lib/cli/flags.ts';
import type { Recording } from '../../lib/cli/manifest.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { usage } from '../../lib/failure.ts';
import type { JournalLimits } from '../../lib/journal/record.ts';

const MIB = 1024 * 1024;

export default class LogsLimits extends BaseCommand<typeof LogsLimits> {
  static override summary = 'show or set the limits of the log of this machine';
  static override description =
    'A new limit applies to every process from then on; what is over it is deleted at once. Defaults: 14 days, 100,000 entries, 128 MiB.';
  static override examples = [
    '<%= config.bin %> logs limits',
    '<%= config.bin %> logs limits --max-age 7d --max-entries 50000 --max-size 64 --json',
  ];
  static override recorded: Recording[] = [{ after: 'logs tail' }];
  static override flags = {
    'max-age': duration({ summary: 'delete entries older than this: 12h, 7d' }),
    'max-entries': count({ min: 1, max: 10_000_000, summary: 'keep at most this many entries' }),
    'max-size': Flags.string({
      helpValue: '<MiB>',
      summary: 'size limit of the file with the log and the inbox, in MiB: 1 to 128',
      parse: async (text) => {
        if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 128) return text;
        throw usage('the size is not a whole number of MiB from 1 to 128', { next: 'write --max-size 64' });
      },
    }),
  };

  async run(): Promise<Result> {
    const session = await this.session();
    const { readJournalLimits, pruneJournal, setJournalLimits } = await import('../../lib/journal/record.ts');
    const store = session.store();
    const given = this.given();
    const limits = Object.keys(given).length === 0 ? readJournalLimits(store) : setJournalLimits(store, given);
    const pruned = Object.keys(given).length === 0 ? 0 : pruneJournal(store, limits, this.context.now());
    const { maxAgeMs, maxEntries, maxBytes } = limits;
    return object(
      { max_age_seconds: maxAgeMs / 1000, max_entries: maxEntries, max_size_mib: maxBytes / MIB, pruned },
      { id: null },
    );
  }

  private given(): Partial<JournalLimits> {
    const { 'max-age': age, 'max-entries': entries, 'max-size': size } = this.flags;
    return {
      ...(age === undefined ? {} : { maxAgeMs: age }),
      ...(entries === undefined ? {} : { maxEntries: entries }),
      ...(size === undefined ? {} : { maxBytes: Number(size) * MIB }),
    };
  }
}
