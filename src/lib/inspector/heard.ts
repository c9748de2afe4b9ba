/** What the page is handed: a reader of the inbox, and what came of sending a delivery again. */
import type { InboxEntry } from '../contract/listener-events.ts';

/** The inbox, as far as it is read. */
export interface InboxReader {
  /** Newest first. */
  recent(limit: number): readonly InboxEntry[];
  /** With its bytes; null when it is gone. `headers` are names and values in turn. */
  find(inboxId: number): { entry: InboxEntry; headers: readonly string[]; body: Uint8Array } | null;
}

/** What came of sending a delivery again. */
export interface Replayed {
  delivery_id: string;
  target: string;
  status: number | null;
  latency_ms: number | null;
  error: string | null;
  answer: string | null;
  hint: string | null;
}
