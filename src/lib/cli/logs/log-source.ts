/** Where `logs tail` reads: the journal of this machine, or the request log of a sandbox elsewhere. */
import { isLoopback } from '../../contract/environments.ts';
import { isoSeconds } from '../../contract/time.ts';
import { usage } from '../../failure.ts';
import type { JournalFilter, JournalItem } from '../../journal/follow.ts';
import type { Context } from '../context.ts';
import { openLocalStore } from '../local-store.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';

interface Wanted {
  filter: JournalFilter;
  follow: boolean;
  /** Milliseconds since the epoch. */
  since?: number;
}

type Moments = AsyncGenerator<JournalItem, void, undefined>;

/** @param wanted `latest`: how many are shown first without `since` */
export async function localMoments(
  context: Context,
  session: Session,
  { latest, ...wanted }: Wanted & { latest: number },
): Promise<Moments> {
  const { follow } = await import('../../journal/follow.ts');
  return follow({
    ...wanted,
    store: session.store(),
    // The file may be set aside and begun anew by any process, while this one looks on.
    reopen: () => openLocalStore(context),
    signal: context.signal,
    ...(wanted.since === undefined ? { last: latest } : {}),
  });
}

/** The token in `CREDICORP_SANDBOX_LOG_TOKEN` opens the log there (sandbox.md#admin-routes). */
export async function remoteMoments(
  context: Context,
  session: Session,
  { follow, base, ...wanted }: Wanted & { base: string },
): Promise<Moments> {
  const [{ followRemote, readRemote }, { sleep }, transport] = await Promise.all([
    import('../../journal/remote.ts'),
    import('../../api/retry.ts'),
    session.transport(),
  ]);
  const token = context.env['CREDICORP_SANDBOX_LOG_TOKEN'];
  const url = new URL(base);
  if (token && url.protocol === 'http:' && !isLoopback(url.hostname)) {
    note(context, `note: the log token travels unencrypted to ${url.host}`);
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
    onClock: tellClock(context),
  };
  return follow ? followRemote(options) : readRemote(options);
}

/** A sandbox may live at another time than we do; `--since` would then find nothing, and nobody would know why. */
function tellClock(context: Context): (clock: number) => void {
  let told = false;
  return (clock) => {
    if (told || Math.abs(clock - context.now()) < ANOTHER_TIME_MS) return;
    told = true;
    note(
      context,
      `note: the clock of that sandbox shows ${isoSeconds(clock)}; its entries, and --since, are by that clock`,
    );
  };
}

const ANOTHER_TIME_MS = 60_000;

/** Scheme, host and port of a sandbox. Plain http is what it speaks, on another machine too. @throws Failure `usage` */
export function remoteBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (plain && url.pathname === '/' && !/[?#]/.test(text)) return url.origin;
  throw usage('that is not the address of a sandbox', { param: '--from', next: 'write --from http://host:4010' });
}
