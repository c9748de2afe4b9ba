/** One try of a call for `--debug`, already redacted. */
import type { ExchangeRecord } from '../contract/exchange.ts';
import { plain } from './text.ts';

const BODY = 2000;

export function traceLines(record: ExchangeRecord): string {
  const lines = [`> ${record.method} ${record.origin ?? ''}${record.path} (try ${record.attempt})`];
  for (const [name, value] of Object.entries(record.requestHeaders)) lines.push(`> ${name}: ${value}`);
  if (record.requestBody) lines.push(`> ${record.requestBody.slice(0, BODY)}`);
  lines.push(`< ${record.status ?? record.note ?? 'no answer'} after ${Math.round(record.latencyMs)} ms`);
  for (const [name, value] of Object.entries(record.responseHeaders)) lines.push(`< ${name}: ${value}`);
  if (record.responseBody) lines.push(`< ${record.responseBody.slice(0, BODY)}`);
  return plain(lines.join('\n'));
}
