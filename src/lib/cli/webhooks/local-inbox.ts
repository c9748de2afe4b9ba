/** The local inbox as commands show it. */
import type { Identity } from '../../auth/credentials/client-identity.ts';
import { parseJson } from '../../contract/json.ts';
import type { InboxEntry } from '../../contract/listener-events.ts';
import { Failure } from '../../failure.ts';
import type { Store } from '../../store/store.ts';
import { findEntry } from '../../webhooks/inbox/inbox-read.ts';

/** Deliveries of different profiles and environments do not mix. */
export function inboxScope({ account, environment }: Identity): string {
  return `${account}/${environment.value}`;
}

export const INBOX_COLUMNS = [
  { path: 'received_at', title: 'received' },
  { path: 'event_type', title: 'type' },
  { path: 'event_id', title: 'event' },
  { path: 'forwards.state', title: 'state' },
];

/** The event in a body, its numbers untouched; null when it is none. */
export function eventOf(body: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(body).toString('utf8'));
  } catch {
    return null;
  }
}

export interface FoundDelivery {
  entry: InboxEntry;
  headers: string[];
  body: Uint8Array;
}

/** @throws Failure `not_found` */
export function findDelivery(store: Store, scope: string, id: string): FoundDelivery {
  const found = findEntry(store, scope, id);
  if (found !== null) return found;
  throw new Failure('not_found', `no delivery ${JSON.stringify(id.slice(0, 60))} is in the inbox of this profile`, {
    code: 'not_in_inbox',
    next: 'see what is there: credicorp events list',
  });
}
