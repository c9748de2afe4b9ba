/** The page: shows the listener's events as rows of the table, and the selected delivery in full. */
import { detailView } from './detail.js';
import { el, short, timeOf } from './list.js';
import { follow } from './stream.js';
import { arrange, clearTable, goTo, openTable, put, select } from './table.js';

const at = (id) => document.getElementById(id);
const detail = at('detail');
const hint = detail.firstElementChild;
let facts = { environment: null, ready: null, tunnel: null, most: { kept: 500, refused: 100 } };
let chosen = null;
let token = '';
let stream = new AbortController();
let lostAt = null;

/** Reads the token from the fragment, which is never sent to a server, and keeps it for this tab. */
function begin() {
  const given = location.hash.slice(1);
  if (given !== '') {
    sessionStorage.setItem('token', given);
    history.replaceState(null, '', '/');
  }
  token = sessionStorage.getItem('token') ?? '';
  stream.abort();
  stream = new AbortController();
  lostAt = null;
  if (token === '') onState('locked');
  else void follow({ token, onEvent, onState, signal: stream.signal });
}

function onEvent(event, data) {
  if (event === 'hello' && data.fresh) clearTable();
  if (event === 'facts') showFacts(data);
  if (event === 'rows') {
    for (const row of data) put(row, facts.most);
    if (data.some(({ key }) => key === chosen)) void showDetail();
  }
  arrange();
}

/** Shows whether the page is connected, and since when it is not. */
function onState(state) {
  if (state === 'lost' || state === 'ended') lostAt ??= new Date();
  const when = lostAt === null ? '' : timeOf(lostAt);
  const back = state === 'live' && lostAt !== null;
  const words = {
    live: back ? `connected again; nothing was missed since ${when}` : 'connected',
    lost: `connection to the listener lost at ${when}; trying again`,
    ended: `the listener ended at ${when}; start it again and open the address it prints`,
    locked: 'locked: open the complete address that the running listener printed, including the part after #',
    crowded: 'this page is open in too many tabs; close one of them',
  };
  at('connection').dataset.state = back ? 'back' : state;
  at('connection').textContent = words[state];
  if (state === 'live') lostAt = null;
  document.title = state === 'live' ? 'Webhook deliveries' : `(${state}) Webhook deliveries`;
}

function showFacts(changed) {
  facts = { ...facts, ...changed };
  const { ready, environment, tunnel } = facts;
  const targets = ready?.targets ?? [];
  const to = targets.length === 0 ? 'stored only, not forwarded' : targets.map(short).join(', ');
  const what =
    ready === null ? 'the listener is starting' : `${ready.endpoint_id} · ${ready.events.join(', ')} → ${to}`;
  const place = environment === 'live' ? el('strong', { className: 'live' }, 'LIVE') : (environment ?? 'unknown');
  const warnings = [
    ready?.unverified ? 'signatures are not checked' : '',
    ready?.chaos ? `injected faults: ${ready.chaos}` : '',
    tunnel ? `tunnel: ${tunnel}` : '',
  ].filter(Boolean);
  const marks = warnings.map((text) => el('strong', { className: 'warning' }, text));
  at('facts').replaceChildren(place, ` · ${what}`, ...marks);
  const local = environment === 'local';
  const forward = local ? '' : ` --forward ${short(targets[0] ?? 'localhost:3000/hook')}`;
  at('how').textContent = local
    ? 'Trigger an event on the sandbox:'
    : 'Create an application, or send a signed sample to your app:';
  at('make').textContent = `credicorp webhooks trigger decision.completed${forward}`;
}

async function choose(key) {
  chosen = key;
  select(key);
  document.body.classList.toggle('chosen', key !== null);
  if (key === null) return detail.replaceChildren(hint);
  await showDetail();
  for (const place of [detail, detail.parentElement]) place.scrollTop = 0;
  return detail.focus();
}

function leaveDetail() {
  const key = chosen;
  void choose(null);
  goTo(key);
}

let requests = 0;

/** Shows the selected delivery. An update keeps the scroll position, the focus and the result of the last replay. */
async function showDetail() {
  const key = chosen;
  const request = (requests += 1);
  const { ok, document: found } = await ask(`/deliveries/${key}`);
  if (request !== requests || key !== chosen) return;
  const same = detail.dataset.key === key;
  const { scrollTop } = detail;
  const focused = detail.contains(document.activeElement) ? document.activeElement.name : undefined;
  const result = at('result')?.textContent ?? '';
  const again = (place, button) => void replay(key, place, button);
  detail.replaceChildren(...(ok ? detailView(found, again) : [el('p', {}, found.error)]));
  detail.querySelector('.back')?.addEventListener('click', leaveDetail);
  detail.dataset.key = key;
  if (!same) return;
  if (at('result')) at('result').textContent = result;
  detail.scrollTop = scrollTop;
  if (focused) [...detail.querySelectorAll('button')].find(({ name }) => name === focused)?.focus();
}

async function replay(key, place, button) {
  const showResult = (words) => {
    if (chosen === key && at('result')) at('result').textContent = words;
  };
  // A button with `disabled` would lose the focus.
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  showResult('sending');
  const { ok, document: sent } = await ask(`/deliveries/${key}/replays/${place}`, { method: 'POST' });
  button.ariaDisabled = 'false';
  const answer = sent.status === null ? sent.error?.replaceAll('_', ' ') : `answered ${sent.status}`;
  showResult(ok ? `sent again: ${answer}, ${Math.round(sent.latency_ms ?? 0)} ms` : `not sent: ${sent.error}`);
}

async function ask(path, options = {}) {
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(path, { ...options, headers, cache: 'no-store' });
    return { ok: response.ok, document: await response.json() };
  } catch {
    return { ok: false, document: { error: 'the listener cannot be reached' } };
  }
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && (chosen !== null || event.target === at('text'))) leaveDetail();
  // Nothing is focused yet: the arrow keys go to the first row, as the hint says.
  if (event.target === document.body && /^Arrow(?:Down|Up)$/.test(event.key)) {
    event.preventDefault();
    goTo(null);
  }
  if (event.key !== '/' || event.ctrlKey || event.metaKey || /^(?:INPUT|SELECT)$/.test(event.target.tagName)) return;
  event.preventDefault();
  at('text').focus();
});
openTable((key) => void choose(key));
addEventListener('hashchange', begin);
begin();
