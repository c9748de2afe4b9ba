/** The table of deliveries on the page: its rows, the filter above it, and keyboard navigation. */
import { el, fillRow, fits, isBefore } from './list.js';

const at = (id) => document.getElementById(id);
const rows = at('rows');
/** @type {Map<string, {row: any, tr: HTMLTableRowElement}>} */
const lines = new Map();
let chosen = null;
let choose = (_key) => {};

/** @param {(key: string) => void} onChoose called when a row is selected, by a click or by Enter */
export function openTable(onChoose) {
  choose = onChoose;
  rows.addEventListener('keydown', onKey);
  rows.addEventListener('click', (event) => {
    const tr = event.target.closest('tr');
    if (tr) choose(tr.dataset.key);
  });
  for (const id of ['text', 'type', 'state']) at(id).addEventListener('input', arrange);
  at('filter').addEventListener('submit', (event) => {
    event.preventDefault();
    goTo(null);
  });
  at('clear').addEventListener('click', () => {
    at('filter').reset();
    arrange();
    goTo(null);
  });
}

export function clearTable() {
  lines.clear();
  rows.replaceChildren();
}

/** Adds a row, or updates it. @param {{kept: number, refused: number}} most */
export function put(row, most) {
  let line = lines.get(row.key);
  if (line === undefined) {
    line = { row, tr: el('tr', { role: 'row', tabIndex: -1 }) };
    line.tr.dataset.key = row.key;
    rows.insertBefore(line.tr, placeOf(row));
    lines.set(row.key, line);
    mark(line);
    trim(row, most);
  }
  line.row = row;
  fillRow(line.tr, row);
}

/** The row to insert before. Usually the first one: most deliveries are the newest. */
function placeOf(row) {
  for (const tr of rows.children) if (isBefore(row, lines.get(tr.dataset.key).row)) return tr;
  return null;
}

/** Removes the oldest row above the limits, which are the listener's own. */
function trim({ verdict }, most) {
  if (lines.size <= Math.min(most.kept, most.refused)) return;
  const refused = verdict === 'rejected';
  const alike = [...rows.children].filter((tr) => tr.dataset.key.startsWith('r') === refused);
  if (alike.length <= (refused ? most.refused : most.kept)) return;
  const last = alike.at(-1);
  lines.delete(last.dataset.key);
  last.remove();
}

/** Applies the filter, and shows a message when no row is left. */
export function arrange() {
  const filter = { text: at('text').value, type: at('type').value, state: at('state').value };
  let shown = 0;
  for (const { row, tr } of lines.values()) {
    tr.hidden = !fits(row, filter);
    if (!tr.hidden) shown += 1;
  }
  offerTypes();
  const all = `${lines.size} ${lines.size === 1 ? 'delivery' : 'deliveries'}`;
  at('count').textContent = shown === lines.size ? all : `${shown} of ${all}`;
  at('empty').hidden = lines.size > 0;
  at('none').hidden = lines.size === 0 || shown > 0;
  rows.parentElement.hidden = shown === 0;
  // One row can always be reached with Tab.
  if (rows.querySelector('tr[tabindex="0"]:not([hidden])') === null) visible()[0]?.setAttribute('tabindex', '0');
}

function offerTypes() {
  const seen = new Set([...lines.values()].map(({ row }) => row.event_type).filter(Boolean));
  const families = new Set([...seen].filter((type) => type.includes('.')).map((type) => `${type.split('.', 1)[0]}.*`));
  const wanted = ['', ...[...families, ...seen].sort()];
  const select = at('type');
  if ([...select.options].map(({ value }) => value).join('\n') === wanted.join('\n')) return;
  const { value } = select;
  select.replaceChildren(...wanted.map((type) => el('option', { value: type }, type || 'all')));
  select.value = wanted.includes(value) ? value : '';
}

export function select(key) {
  chosen = key;
  for (const line of lines.values()) mark(line);
}

function mark({ row, tr }) {
  tr.ariaSelected = String(row.key === chosen);
}

/** Focuses this row, or the first visible one when it is hidden. */
export function goTo(key) {
  const tr = lines.get(key)?.tr;
  move(tr?.hidden === false ? tr : visible()[0]);
}

function move(tr) {
  if (!tr) return;
  for (const other of rows.querySelectorAll('tr[tabindex="0"]')) other.tabIndex = -1;
  tr.tabIndex = 0;
  tr.focus();
}

function visible() {
  return [...rows.children].filter((tr) => !tr.hidden);
}

const MOVES = {
  ArrowDown: (place) => place + 1,
  ArrowUp: (place) => Math.max(place - 1, 0),
  Home: () => 0,
  End: (_place, last) => last,
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const tr = event.target.closest('tr');
  const step = MOVES[event.key];
  if (step) {
    const all = visible();
    const last = all.length - 1;
    move(all[Math.min(step(all.indexOf(tr), last), last)]);
  } else if (event.key === 'Enter' || event.key === ' ') choose(tr.dataset.key);
  else return;
  event.preventDefault();
}
