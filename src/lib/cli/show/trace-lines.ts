/** One try of a call for `--debug`. */
import type { ExchangeRecord } from '../../contract/exchange.ts';
import { redactBody, redactHeaders, redactText } from '../../contract/secrets.ts';
import { plain } from './text.ts';

const BODY = 2000;

/** Redacted here, since records still hold their secrets. @param known live secret values */
export function traceLines(record: ExchangeRecord, known: readonly string[]): string {
  const headers = (of: Record<string, string>, mark: string): string[] =>
    Object.entries(redactHeaders(of, known)).map(([name, value]) => `${mark} ${name}: ${value}`);
  const body = (text: string | null, mark: string): string[] =>
    text ? [`${mark} ${redactBody(text, BODY, known)}`] : [];
  const lines = [
    `> ${record.method} ${record.origin ?? ''}${record.path} (try ${record.attempt})`,
    ...headers(record.requestHeaders, '>'),
    ...body(record.requestBody, '>'),
    `< ${record.status ?? record.note ?? 'no answer'} after ${Math.round(record.latencyMs)} ms`,
    ...headers(record.responseHeaders, '<'),
    ...body(record.responseBody, '<'),
  ];
  return plain(redactText(lines.join('\n'), known));
}
