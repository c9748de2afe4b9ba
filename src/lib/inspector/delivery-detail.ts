/** One delivery in full, for the selected row of the list. Everything received from outside is redacted. */
import { redactCutOff, redactHeaders, redactText } from '../contract/secrets.ts';
import { SIGNATURE_HEADER } from '../contract/signature.ts';
import { type BodyView, bodyView, textView } from './body-view.ts';
import type { AttemptRow, InboxReader, ListEntry, ListRow } from './delivery-list.ts';
import { signatureSteps, type SignatureStep } from './signature-steps.ts';

export interface DeliveryDetail {
  row: ListRow;
  /** Names and values as received; null when no longer available. */
  headers: [string, string][] | null;
  body: BodyView | null;
  steps: SignatureStep[];
  /** Why it was rejected and what to do about it; null when it was not. */
  refusal: { status: number; meaning: string; next: string; detail: string | null } | null;
  attempts: AttemptRow[];
}

export interface DetailSources {
  inbox: InboxReader;
  /** Seconds. */
  tolerance: number;
  /** Live secrets, redacted by value. */
  known: () => readonly string[];
}

/** Bytes that a record keeps of a body; longer bodies are cut. */
const RECORD_BYTES = 64 * 1024;

export function detailOf(entry: ListEntry, sources: DetailSources): DeliveryDetail {
  const known = sources.known();
  const clean = (text: string): string => redactText(text, known);
  const { headers, body } = entry.refusal === null ? stored(entry.row, sources, clean) : refused(entry, known);
  const { row, refusal } = entry;
  const header = headers?.find(([name]) => name.toLowerCase() === SIGNATURE_HEADER)?.[1] ?? null;
  const { bytes, verdict, cause, warnings } = row;
  const checked = {
    header,
    receivedAt: Date.parse(row.at),
    bytes,
    verdict,
    cause,
    warnings,
    tolerance: sources.tolerance,
  };
  return {
    row: cleanRow(row, clean),
    headers: headers?.map(([name, value]) => cleanHeader(name, value, known)) ?? null,
    body,
    steps: signatureSteps({ ...checked, also: refusal?.event.also ?? [] }),
    refusal: refusal === null ? null : reasonOf(refusal.event),
    attempts: entry.attempts.map((attempt) => ({
      ...attempt,
      target: clean(attempt.target),
      answer: attempt.answer === null ? null : clean(attempt.answer),
    })),
  };
}

/** A redacted row of the list: types and ids come from outside, and a target URL may contain a token. */
export function cleanRow(row: ListRow, clean: (text: string) => string): ListRow {
  const each = (text: string | null): string | null => (text === null ? null : clean(text));
  return {
    ...row,
    event_id: each(row.event_id),
    event_type: each(row.event_type),
    delivery_id: each(row.delivery_id),
    resource_id: each(row.resource_id),
    targets: row.targets.map((state) => ({ ...state, target: clean(state.target) })),
  };
}

interface Content {
  headers: [string, string][] | null;
  body: BodyView | null;
}

function stored({ key }: ListRow, { inbox }: DetailSources, clean: (text: string) => string): Content {
  const found = inbox.find(Number(key));
  if (found === null) return { headers: null, body: null };
  const { headers, body } = found;
  const pairs = Array.from({ length: Math.floor(headers.length / 2) }, (_, n): [string, string] => [
    headers[2 * n] ?? '',
    headers[2 * n + 1] ?? '',
  ]);
  return { headers: pairs, body: bodyView(body, clean) };
}

function refused({ row, refusal }: ListEntry, known: readonly string[]): Content {
  const record = refusal?.record ?? null;
  if (record === null) return { headers: null, body: null };
  const cut = row.bytes > RECORD_BYTES;
  // The cut may have left half a secret at the end.
  const clean = (text: string): string => (cut ? redactCutOff(text, known) : redactText(text, known));
  const body = textView(record.requestBody ?? '', { bytes: row.bytes, cut }, clean);
  return { headers: Object.entries(record.requestHeaders), body };
}

function cleanHeader(name: string, value: string, known: readonly string[]): [string, string] {
  return Object.entries(redactHeaders({ [name]: value }, known))[0] ?? [redactText(name, known), ''];
}

function reasonOf({
  status,
  meaning,
  next,
  detail,
}: {
  status: number;
  meaning: string;
  next: string;
  detail: string | null;
}) {
  return { status, meaning, next, detail };
}
