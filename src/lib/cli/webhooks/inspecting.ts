/** A listener with its page: the inspector hears every moment, reads the inbox, and sends again as `events replay` does. */
import { join } from 'node:path';
import { openInspector } from '../../inspector/inspector-server.ts';
import { findEntry, listEntries } from '../../webhooks/inbox/inbox-read.ts';
import type { ListenOptions } from '../../webhooks/listen/listen.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import { RECEIVER_PATH } from '../../webhooks/forward/journal-records.ts';
import type { Context } from '../context.ts';
import { findDelivery } from './inbox.ts';
import type { Prepared } from './listen-options.ts';
import { note } from '../output/write.ts';
import { replayed } from './replaying.ts';
import type { Session } from '../session.ts';
import { noSecret } from './signing.ts';
import { secretOf } from './webhook-secrets.ts';

export interface Inspected {
  context: Context;
  session: Session;
  prepared: Prepared;
  /** 0 takes any free one. */
  port: number;
  /** Runs the listener. */
  run: (prepared: Prepared) => AsyncGenerator<ListenerEvent>;
}

/** The same moments. @throws Failure `usage` when the port cannot be had, before anything is registered */
export async function* inspected({ context, session, prepared, port, run }: Inspected): AsyncGenerator<ListenerEvent> {
  const { options } = prepared;
  const { store, scope, record } = options;
  const leave = new AbortController();
  const within = { ...context, signal: AbortSignal.any([context.signal, leave.signal]) };
  const inspector = await openInspector({
    port,
    // Hex: a double click takes all of it, and no terminal leaves a last dash out of the address.
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
    replay: async (inboxId, target) => {
      const found = findDelivery(store, scope, String(inboxId));
      const secret = await currentSecret(session, prepared);
      const timeoutMs = options.timeoutMs ?? 10_000;
      return replayed(within, session, found, {
        target: new URL(target),
        body: found.body,
        secrets: [secret],
        timeoutMs,
      });
    },
    tolerance: options.tolerance ?? 300,
    known: knownOf(prepared),
    now: context.now,
  });
  // On one line of 80: an address that is broken cannot be clicked.
  note(context, `inspect: ${inspector.url}   (private)`);
  const heard: Partial<ListenOptions> = {
    onEvent: (moment) => inspector.onEvent(moment),
    record: (line) => {
      if (line.path === RECEIVER_PATH) inspector.keepBody(line);
      record(line);
    },
  };
  try {
    yield* run({ ...prepared, options: { ...options, ...heard } });
  } finally {
    leave.abort();
    await inspector.close();
  }
}

/** The same list as long as nothing changes: what to look for in a text is worked out once for each list. */
function knownOf({ options, secrets }: Prepared): () => readonly string[] {
  let held: readonly string[] = [];
  return () => {
    const others = options.otherSecrets?.() ?? { environment: [], endpoint: [] };
    const own = secrets.own === null ? [] : [secrets.own];
    const now = [...own, ...(options.secrets?.() ?? []), ...others.environment, ...others.endpoint];
    if (now.length !== held.length || now.some((secret, place) => secret !== held[place])) held = now;
    return held;
  };
}

/** It may have been rotated while the listener runs. @throws Failure `usage` when there is none */
async function currentSecret(session: Session, { options, secrets }: Prepared): Promise<string> {
  const kept = secrets.endpoint === null ? null : await secretOf(session, secrets.endpoint).catch(() => null);
  const secret = kept ?? secrets.own ?? options.secrets?.()[0] ?? (await secretOf(session));
  if (secret === null) throw noSecret();
  return secret;
}
