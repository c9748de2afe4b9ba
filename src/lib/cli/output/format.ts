/** Documents as people and pipes read them: aligned fields, rows of a list, values at a path; and a call for `--debug`. */
import type { ExchangeRecord } from '../../contract/exchange.ts';
import { isRecord, scalarText, writeJson } from '../../contract/json.ts';
import { formatPounds } from '../../contract/money.ts';
import { redactBody, redactHeaders, redactText } from '../../contract/secrets.ts';
import type { Column } from '../result.ts';
import { escapeControls, localTime, plain, plainLine } from './terminal-text.ts';

/** Leaf values of a document in its own order, under dotted paths; an empty object or list is a leaf. */
function leaves(document: unknown, path = ''): [path: string, value: unknown][] {
  const members: [string, unknown][] = Array.isArray(document)
    ? document.map((value: unknown, index): [string, unknown] => [String(index), value])
    : isRecord(document)
      ? Object.entries(document)
      : [];
  if (members.length === 0) return [[path, document]];
  return members.flatMap(([name, value]) => leaves(value, path === '' ? name : `${path}.${name}`));
}

/**
 * Values at a dotted path. A number steps into a list; a name on a list steps into each of its items; a list at the end is given
 * item by item. Where the path leads nowhere: an empty list.
 */
export function valuesAt(document: unknown, path: string): unknown[] {
  let found: unknown[] = [document];
  for (const step of path.split('.')) {
    found = found.flatMap((value) => {
      if (Array.isArray(value)) {
        if (/^\d+$/.test(step)) return Number(step) < value.length ? [value[Number(step)]] : [];
        return value.flatMap((item: unknown) => (isRecord(item) && Object.hasOwn(item, step) ? [item[step]] : []));
      }
      return isRecord(value) && Object.hasOwn(value, step) ? [value[step]] : [];
    });
  }
  return found.flatMap((value) => (Array.isArray(value) ? value : [value]));
}

/** An object for a pipe: `field<TAB>value` lines, as the API sent them. */
export function fieldLines(document: unknown): string {
  return leaves(document)
    .map(([path, value]) => `${escapeControls(path)}\t${escapeControls(leafText(value))}\n`)
    .join('');
}

/** An item of a list for a pipe: one tab-separated row without header, nothing cut, as the API sent it. */
export function tabRow(item: unknown, columns: readonly Column[]): string {
  return `${columns.map(({ path }) => escapeControls(valuesAt(item, path).map(leafText).join(','))).join('\t')}\n`;
}

/**
 * An object for a terminal: aligned fields; what is null or empty is left out.
 * @param pence members known to be pence although their names do not say so
 */
export function humanFields(document: unknown, paint: (text: string) => string, pence: readonly string[] = []): string {
  const shown = leaves(document).filter(([, value]) => value !== null && leafText(value) !== '' && !isEmpty(value));
  const width = Math.max(0, ...shown.map(([path]) => path.length));
  const valueText = ([path, value]: [string, unknown]): string =>
    pence.includes(path) && typeof value === 'number'
      ? `${value} pence = ${formatPounds(value)}`
      : humanValue(path, value);
  return shown.map((leaf) => `${paint(plainLine(leaf[0]).padEnd(width))}  ${valueText(leaf)}\n`).join('');
}

/** One item of a streamed list for a terminal. A table would have to hold every row to find the widest cell. */
export function humanRow(item: unknown, columns: readonly Column[]): string {
  const cells = columns.map(({ path }) => humanValues(item, path).padEnd(10));
  return `${cells.join('  ').trimEnd()}\n`;
}

/** The values at a path for a terminal, in one cell. */
export function humanValues(item: unknown, path: string): string {
  return valuesAt(item, path)
    .map((value) => humanValue(path, value))
    .join(', ');
}

/** Money in pounds, times in local time with their zone; everything else as it came, made safe. */
function humanValue(path: string, value: unknown): string {
  if (typeof value === 'number' && path.endsWith('_pence')) return formatPounds(value);
  if (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(value))
    return localTime(value);
  return plainLine(leafText(value));
}

function leafText(value: unknown): string {
  return isRecord(value) || Array.isArray(value) ? writeJson(value) : scalarText(value);
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
}

const TRACED_BODY = 2000;

/** One try of a call, for `--debug`. Redacted here, since records still hold their secrets. @param known live secret values */
export function traceLines(record: ExchangeRecord, known: readonly string[]): string {
  const headers = (of: Record<string, string>, mark: string): string[] =>
    Object.entries(redactHeaders(of, known)).map(([name, value]) => `${mark} ${name}: ${value}`);
  const body = (text: string | null, mark: string): string[] =>
    text ? [`${mark} ${redactBody(text, TRACED_BODY, known)}`] : [];
  const lines = [
    `> ${redactText(`${record.method} ${record.origin ?? ''}${record.path}`, known)} (try ${record.attempt})`,
    ...headers(record.requestHeaders, '>'),
    ...body(record.requestBody, '>'),
    `< ${record.status ?? redactText(record.note ?? 'no answer', known)} after ${Math.round(record.latencyMs)} ms`,
    ...headers(record.responseHeaders, '<'),
    ...body(record.responseBody, '<'),
  ];
  return plain(lines.join('\n'));
}
