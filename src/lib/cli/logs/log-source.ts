/** What the log commands read: the filter flags, and the journal of this machine or the request log of a sandbox on another host. */
import * as Flags from '@oclif/core/flags';
import { isLoopback } from '../../contract/environments.ts';
import { isoSeconds } from '../../contract/time.ts';
import { usage } from '../../failure.ts';
import type { JournalItem } from '../../journal/follow.ts';
import type { JournalFilter } from '../../journal/query.ts';
import type { Context } from '../context.ts';
import { openLocalStore } from '../local-store.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';

/** The filters (command-line.md#commands). They combine: an entry must match all that are given. */
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
    summary: 'only entries from this source',
  })(),
};

interface FilterFlags {
  status?: string | undefined;
  method?: string | undefined;
  path?: string | undefined;
  'request-id'?: string | undefined;
  source?: 'cli' | 'sandbox' | 'proxy' | 'listener' | undefined;
}

/** The filter that these flags describe. */
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

interface LogQuery {
  filter: JournalFilter;
  follow: boolean;
  /** Milliseconds since the epoch. */
  since?: number;
}

type Items = AsyncGenerator<JournalItem, void, undefined>;

/** Entries of the journal of this machine. @param latest how many are shown first without `since` */
export async function localItems(
  context: Context,
  session: Session,
  { latest, ...wanted }: LogQuery & { latest: number },
): Promise<Items> {
  const { follow } = await import('../../journal/follow.ts');
  return follow({
    ...wanted,
    store: session.store(),
    // Any process may replace a damaged file with a new one while this one reads.
    reopen: () => openLocalStore(context),
    signal: context.signal,
    ...(wanted.since === undefined ? { last: latest } : {}),
  });
}

/** Entries of a sandbox on another host. The token in `CREDICORP_SANDBOX_LOG_TOKEN` gives access to its log (sandbox.md#admin-routes). */
export async function remoteItems(
  context: Context,
  session: Session,
  { follow, base, ...wanted }: LogQuery & { base: string },
): Promise<Items> {
  const [{ followRemote, readRemote }, { sleep }, transport] = await Promise.all([
    import('../../journal/remote.ts'),
    import('../../api/retry.ts'),
    session.transport(),
  ]);
  const token = context.env['CREDICORP_SANDBOX_LOG_TOKEN'];
  const url = new URL(base);
  if (token && url.protocol === 'http:' && !isLoopback(url.hostname)) {
    note(context, `note: the log token is sent unencrypted to ${url.host}`);
  }
  if (token) session.hide(token);
  const options = {
    ...wanted,
    base,
    ...(token ? { token } : {}),
    stream: transport.stream,
    sleep,
    signal: context.signal,
    onBreak: (why: string) => note(context, `note: ${why}; trying again`),
    onClock: noteClock(context),
  };
  return follow ? followRemote(options) : readRemote(options);
}

/** Says once that the sandbox has another clock than this machine: otherwise an empty result with `--since` would be hard to explain. */
function noteClock(context: Context): (clock: number) => void {
  let noted = false;
  return (clock) => {
    if (noted || Math.abs(clock - context.now()) < CLOCK_DIFFERENCE_MS) return;
    noted = true;
    note(context, `note: the clock of that sandbox is at ${isoSeconds(clock)}; its entries and --since use that clock`);
  };
}

const CLOCK_DIFFERENCE_MS = 60_000;

/** Scheme, host and port of a sandbox; plain http is allowed, on another machine too. @throws Failure `usage` */
export function remoteBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (plain && url.pathname === '/' && !/[?#]/.test(text)) return url.origin;
  throw usage('not the address of a sandbox', { param: '--from', next: 'write --from http://host:4010' });
}
