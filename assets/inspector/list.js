/** The rows of the list, one for each delivery: their content, order and filter. */

/** Creates an element with these properties. Strings become text nodes, never HTML. */
export function el(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null && child !== ''));
  return element;
}

/** The state of the whole delivery: that of its worst target. */
export function stateOf({ verdict, targets }) {
  if (verdict === 'rejected') return 'rejected';
  if (targets.length === 0) return 'kept';
  return (
    ['parked', 'failed', 'waiting', 'dropped', 'delivered'].find((state) =>
      targets.some((target) => target.state === state),
    ) ?? 'duplicate'
  );
}

/** Whether a row matches the filter. @param {{text: string, type: string, state: string}} filter */
export function fits(row, { text, type, state }) {
  if (state !== '' && stateOf(row) !== state) return false;
  if (type.endsWith('.*') ? !row.event_type?.startsWith(type.slice(0, -1)) : type !== '' && row.event_type !== type)
    return false;
  const { event_type, event_id, delivery_id, resource_id, cause, verdict, targets } = row;
  const all = [event_type, event_id, delivery_id, resource_id, cause, verdict, stateOf(row)];
  const places = targets.flatMap(({ target, status, error }) => [target, status, error]);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const searched = [...all, ...places].join(' ').toLowerCase();
  return words.every((word) => searched.includes(word));
}

/** Whether `a` comes before `b`: newest first, and at the same time the higher number first. */
export function isBefore(a, b) {
  return a.at > b.at || (a.at === b.at && Number(a.key.replace('r', '')) > Number(b.key.replace('r', '')));
}

export function short(target) {
  return target.replace(/^https?:\/\//, '');
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false };

/** Local time with its zone, and with the day unless it is today. */
export function timeOf(at, now = new Date()) {
  const date = new Date(at);
  const day = date.toDateString() === now.toDateString() ? {} : { day: '2-digit', month: 'short' };
  return date.toLocaleString(undefined, { ...day, ...CLOCK, timeZoneName: 'short' });
}

/** The app's answer, or why there was none: `200`, `connection refused`. */
export function answerOf({ status, error }) {
  return status === null ? (error ?? '').replaceAll('_', ' ') : String(status);
}

const SIGNS = {
  delivered: '✓',
  failed: '✗',
  parked: '✗',
  dropped: '✗',
  rejected: '✗',
  waiting: '…',
  duplicate: '=',
  kept: '·',
};

function stateWords(row) {
  const state = stateOf(row);
  if (state === 'kept' || state === 'rejected' || state === 'duplicate') return state === 'kept' ? 'kept only' : state;
  const one = row.targets.find((target) => target.state === state);
  const retrying = state === 'waiting' && one.attempts > 0;
  return [retrying ? 'retrying' : state, answerOf(one)].filter(Boolean).join(' ');
}

/** Fills a table row. The element is reused, so that it keeps the focus. */
export function fillRow(tr, row) {
  const state = stateOf(row);
  const [first] = row.targets;
  const more = row.targets.length > 1 ? ` +${row.targets.length - 1}` : '';
  const tries = row.targets.reduce((most, { attempts }) => Math.max(most, attempts), 0);
  const again = row.replays > 0 ? `+${row.replays}` : '';
  const latency = row.targets.reduce((most, { latency_ms }) => Math.max(most, latency_ms ?? -1), -1);
  const signature = row.verdict === 'rejected' ? (row.cause ?? 'rejected') : row.verdict;
  const warnings = row.warnings.length > 0 ? ` (${row.warnings.join(', ')})` : '';
  tr.dataset.state = state;
  tr.replaceChildren(
    el('td', { role: 'gridcell', className: 'time' }, el('time', { dateTime: row.at, title: row.at }, timeOf(row.at))),
    el(
      'td',
      { role: 'gridcell', className: 'event' },
      el(
        'span',
        { className: 'type' },
        row.event_type ?? (row.verdict === 'rejected' ? 'rejected, not parsed' : 'no event'),
      ),
      el('span', { className: 'id' }, row.resource_id ?? row.event_id ?? row.delivery_id ?? ''),
    ),
    el(
      'td',
      { role: 'gridcell', className: `signature ${row.verdict}${warnings === '' ? '' : ' warned'}` },
      signature + warnings,
    ),
    el(
      'td',
      { role: 'gridcell', className: 'answer' },
      el('span', { className: state }, el('span', { ariaHidden: 'true' }, `${SIGNS[state]} `), stateWords(row)),
      el(
        'span',
        { className: 'target', title: row.targets.map(({ target }) => target).join('\n') },
        first ? short(first.target) + more : '',
      ),
    ),
    el('td', { role: 'gridcell', className: 'number tries' }, `${tries || ''}${again}`),
    el('td', { role: 'gridcell', className: 'number latency' }, latency < 0 ? '' : `${Math.round(latency)} ms`),
  );
}
