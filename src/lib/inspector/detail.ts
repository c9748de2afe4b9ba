/** One delivery in full, for the chosen line of the list. Secrets are taken out of everything that came from outside. */
import { redactBody, redactHeaders, redactText } from '../contract/secrets.ts';
import { SIGNATURE_HEADER } from '../contract/signature.ts';
import { type BodyView, bodyView, textView } from './body-view.ts';
import type { InboxReader } from './heard.ts';
import type { Attempt, Entry, Row } from './rows.ts';
import { signatureSteps, type Step } from './steps.ts';

export interface Detail {
  row: Row;
  /** Names and values, as they came; null where they are not at hand. */
  headers: [string, string][] | null;
  body: BodyView | null;
  steps: Step[];
  /** Of what was refused: what it means, and what to do. */
  refusal: { status: number; meaning: string; next: string; detail: string | null } | null;
  attempts: Attempt[];
}

export interface View {
  inbox: InboxReader;
  /** Seconds. */
  tolerance: number;
  /** Live secrets, to be taken out by value. */
  known: () => readonly string[];
}

/** What the journal is given of a body at most, in bytes; longer ones were cut there. */
const RECORD_BYTES = 64 * 1024;

export function detailOf(entry: Entry, view: View): Detail {
  const known = view.known();
  const clean = (text: string): string => redactText(text, known);
  const { headers, body } = entry.refusal === null ? stored(entry.row, view, clean) : refused(entry, known);
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
    tolerance: view.tolerance,
  };
  return {
    row: cleanRow(row, clean),
    headers: headers?.map(([name, value]) => cleanHeader(name, value, known)) ?? null,
    body,
    steps: signatureSteps({ ...checked, also: refusal?.moment.also ?? [] }),
    refusal: refusal === null ? null : reasonOf(refusal.moment),
    attempts: entry.attempts.map((attempt) => ({
      ...attempt,
      target: clean(attempt.target),
      answer: attempt.answer === null ? null : clean(attempt.answer),
    })),
  };
}

/** A line of the list without secrets: a type or an id is what somebody wrote, and a target may carry a token. */
export function cleanRow(row: Row, clean: (text: string) => string): Row {
  const each = (text: string | null): string | null => (text === null ? null : clean(text));
  return {
    ...row,
    event_id: each(row.event_id),
    event_type: each(row.event_type),
    delivery_id: each(row.delivery_id),
    resource_id: each(row.resource_id),
    ways: row.ways.map((way) => ({ ...way, target: clean(way.target) })),
  };
}

interface Content {
  headers: [string, string][] | null;
  body: BodyView | null;
}

function stored({ key }: Row, { inbox }: View, clean: (text: string) => string): Content {
  const found = inbox.find(Number(key));
  if (found === null) return { headers: null, body: null };
  const { headers, body } = found;
  const pairs = Array.from({ length: Math.floor(headers.length / 2) }, (_, n): [string, string] => [
    headers[2 * n] ?? '',
    headers[2 * n + 1] ?? '',
  ]);
  return { headers: pairs, body: bodyView(body, clean) };
}

function refused({ row, refusal }: Entry, known: readonly string[]): Content {
  const record = refusal?.record ?? null;
  if (record === null) return { headers: null, body: null };
  const cut = row.bytes > RECORD_BYTES;
  // Half a secret may stand at the edge of what was cut.
  const clean = (text: string): string => (cut ? redactBody(text, text.length - 1, known) : redactText(text, known));
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
