/** `webhooks listen --inspect`: the listener with its page, which shows its events and the inbox and can replay deliveries. */
import { join } from 'node:path';
import { openInspector } from '../../inspector/inspector-server.ts';
import { findEntry, listEntries } from '../../webhooks/inbox/inbox-read.ts';
import type { ListenOptions } from '../../webhooks/listen/listen.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import { RECEIVER_PATH } from '../../webhooks/listen/ingest.ts';
import type { Context } from '../context.ts';
import type { ListenerSetup } from './listener-options.ts';
import { note } from '../output/write.ts';
import { sendAgain } from './send-again.ts';
import type { Session } from '../session.ts';
import { liveSecrets } from '../../contract/signature.ts';

export interface Inspected {
  context: Context;
  session: Session;
  prepared: ListenerSetup;
  /** 0 takes any free port. */
  port: number;
  /** Told the address of the page. */
  onPage: (url: string) => void;
  /** Runs the listener. */
  run: (prepared: ListenerSetup) => AsyncGenerator<ListenerEvent>;
}

/** Yields the listener's events. @throws Failure `usage` when the port cannot be opened, before anything is registered */
export async function* inspectListener({
  context,
  session,
  prepared,
  port,
  onPage,
  run,
}: Inspected): AsyncGenerator<ListenerEvent> {
  const { options } = prepared;
  const { store, scope, record } = options;
  const leave = new AbortController();
  const within = { ...context, signal: AbortSignal.any([context.signal, leave.signal]) };
  const inspector = await openInspector({
    port,
    // Hex: a double click selects all of it.
    token: context.secureBytes(16).toString('hex'),
    folder: join(context.root, 'assets', 'inspector'),
    environment: options.environment,
    inbox: {
      recent: (limit) => listEntries(store, { scope, limit }),
      find: (inboxId) => {
        const found = findEntry(store, scope, String(inboxId));
        // An event may call itself by a number.
        return found?.entry.inbox_id === inboxId ? found : null;
      },
    },
    replay: (inboxId, target) => sendAgain(within, session, prepared, { inboxId, target: new URL(target) }),
    tolerance: options.tolerance ?? 300,
    known: knownOf(prepared),
    now: context.now,
  });
  // Fits on one line of 80, so that it can be clicked.
  note(context, `inspect: ${inspector.url}   (private)`);
  onPage(inspector.url);
  const observed: Partial<ListenOptions> = {
    onEvent: (event) => inspector.onEvent(event),
    record: (line) => {
      if (line.path === RECEIVER_PATH) inspector.keepBody(line);
      record(line);
    },
  };
  try {
    yield* run({ ...prepared, options: { ...options, ...observed } });
  } finally {
    leave.abort();
    await inspector.close();
  }
}

/** Secrets to redact. Returns the same array while nothing changes, so that its search pattern is built once. */
function knownOf({ options, secrets, signing }: ListenerSetup): () => readonly string[] {
  let held: readonly string[] = [];
  return () => {
    const others = options.otherSecrets ?? { environment: [], endpoint: [] };
    const own = secrets.own === null ? [] : [secrets.own];
    const signs = signing === null ? [] : liveSecrets(signing, options.now());
    const now = [...own, ...signs, ...others.environment, ...others.endpoint];
    if (now.length !== held.length || now.some((secret, place) => secret !== held[place])) held = now;
    return held;
  };
}
