/** What may be said about a webhook endpoint (webhooks.md#webhook-endpoints). */
import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { usage } from '../../failure.ts';
import { metadataOf, type Pair, pair, uri } from '../flags.ts';

export const endpointFlags = {
  url: uri({ summary: 'where deliveries go: https, or http on this machine for the sandbox' }),
  events: Flags.string({
    completes: 'event types',
    helpValue: '<types>',
    summary: 'types and families: decision.*,payment.settled',
  }),
  description: Flags.string({ helpValue: '<text>', summary: 'your own description' }),
  metadata: pair({ summary: 'a metadata pair; may be repeated, up to 20', multiple: true, multipleNonGreedy: true }),
};

/** An id that may be left out. */
export const endpointId = Args.string({
  completes: { ids: ['whend_'] },
  ignoreStdin: true,
  description: 'id of the endpoint',
  parse: async (text) => {
    if (/^[\w.~-]{1,255}$/.test(text) && !/^\.+$/.test(text)) return text;
    throw usage('this is not an id', { param: 'id', next: 'ids look like whend_3T8K1' });
  },
});

interface Said {
  url?: string | undefined;
  events?: string | undefined;
  description?: string | undefined;
  metadata?: Pair[] | undefined;
}

/** Members in the order of the documented example; what was not said is left out. */
export function endpointBody({ url, events, description, metadata }: Said): Record<string, unknown> {
  const names = events?.split(',').map((name) => name.trim());
  const body = { url, enabled_events: names, description, metadata: metadataOf(metadata) };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}
