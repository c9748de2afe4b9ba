/** The filters of the journal as flags (command-line.md#commands). They combine: all that are given must fit. */
import * as Flags from '@oclif/core/flags';
import { usage } from '../../failure.ts';
import type { JournalFilter } from '../../journal/query.ts';

export const filterFlags = {
  status: Flags.string({
    helpValue: '<status>',
    summary: 'only this status or class: 429, 4xx',
    parse: async (text) => {
      if (/^[1-5](\d\d|xx)$/i.test(text)) return text.toLowerCase();
      throw usage(`${JSON.stringify(text.slice(0, 40))} is not a status`, { next: 'write 429 or 4xx' });
    },
  }),
  method: Flags.string({
    helpValue: '<method>',
    summary: 'only this method',
    parse: async (text) => text.toUpperCase(),
  }),
  path: Flags.string({ helpValue: '<glob>', summary: "only matching paths: '/applications*'" }),
  'request-id': Flags.string({ helpValue: '<id>', summary: 'only this request' }),
  source: Flags.option({
    options: ['cli', 'sandbox', 'proxy', 'listener'] as const,
    summary: 'only what this source logged',
  })(),
};

interface FilterFlags {
  status?: string | undefined;
  method?: string | undefined;
  path?: string | undefined;
  'request-id'?: string | undefined;
  source?: 'cli' | 'sandbox' | 'proxy' | 'listener' | undefined;
}

export function filterOf(flags: FilterFlags): JournalFilter {
  const { status, method, path, source } = flags;
  const requestId = flags['request-id'];
  return {
    ...(status === undefined ? {} : { status }),
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(source === undefined ? {} : { source }),
  };
}
