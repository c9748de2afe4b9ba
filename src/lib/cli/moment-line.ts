/** A listener's moment as one calm line, readable at 80 columns. */
import type { Moment } from '../webhooks/moments.ts';
import { localTime } from './render.ts';
import { plainLine } from './text.ts';

export function momentLine(item: unknown): string {
  const moment = item as Moment;
  return plainLine(`${localTime(moment.at).slice(11, 19)} ${moment.type.padEnd(9)} ${told(moment)}`);
}

function told(moment: Moment): string {
  switch (moment.type) {
    case 'ready': {
      const leftover = moment.leftover > 0 ? `; ${moment.leftover} stored deliveries go first` : '';
      return `${moment.events.join(',')} → ${moment.targets.join(', ')} (endpoint ${moment.endpoint_id}${leftover}); Ctrl-C ends`;
    }
    case 'received':
      return [moment.event_type ?? '-', moment.event_id ?? '', ...moment.warnings].join(' ');
    case 'rejected':
      return `${moment.cause}${moment.skew_seconds === null ? '' : ` (${moment.skew_seconds} s)`}: ${moment.meaning}; ${moment.next}`;
    case 'forwarded':
    case 'failed':
    case 'retrying': {
      const answer = moment.status ?? moment.error?.replaceAll('_', ' ') ?? 'no answer';
      const again =
        moment.type === 'retrying'
          ? moment.retry_in_ms === null
            ? '; again when the port opens'
            : `; again in ${moment.retry_in_ms} ms`
          : '';
      const hint = moment.hint === null ? '' : `; ${moment.hint}`;
      return `${moment.event_type ?? '-'} ${moment.event_id ?? ''} ${answer} ${Math.round(moment.latency_ms)}ms ${path(moment.target)}${again}${hint}`;
    }
    case 'duplicate':
      return `${moment.event_type ?? '-'} ${moment.event_id ?? ''} ${path(moment.target)} already has it`;
    case 'tunnel':
      return [moment.via, moment.state, moment.url ?? '', moment.detail ?? ''].join(' ');
    case 'closed': {
      const left = moment.waiting > 0 ? `, ${moment.waiting} wait for the next listen` : '';
      const kept = moment.endpoint_removed ? '' : `; the endpoint is still registered: ${moment.detail ?? ''}`;
      return `${moment.received} received, ${moment.forwarded} forwarded, ${moment.rejected} rejected, ${moment.duplicates} duplicates, ${moment.failed} failed${left}${kept}`;
    }
  }
}

function path(target: string): string {
  return target.replace(/^https?:\/\//, '');
}
