/** The page: what the listener says becomes lines of the table; the chosen one is shown in full. */
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
let leave = new AbortController();
let lostAt = null;

/** The token comes behind the #, which no server sees, and stays with this tab. */
function begin() {
  const given = location.hash.slice(1);
  if (given !== '') {
    sessionStorage.setItem('token', given);
    history.replaceState(null, '', '/');
  }
  token = sessionStorage.getItem('token') ?? '';
  leave.abort();
  leave = new AbortController();
  lostAt = null;
  if (token === '') turn('locked');
  else void follow({ token, take, turn, signal: leave.signal });
}

function take(event, data) {
  if (event === 'hello' && data.fresh) clearTable();
  if (event === 'facts') showFacts(data);
  if (event === 'rows') {
    for (const row of data) put(row, facts.most);
    if (data.some(({ key }) => key === chosen)) void showDetail();
  }
  arrange();
}

/** The mark that says whether what is shown is up to date. */
function turn(state) {
  if (state === 'lost' || state === 'ended') lostAt ??= new Date();
  const when = lostAt === null ? '' : timeOf(lostAt);
  const back = state === 'live' && lostAt !== null;
  const words = {
    live: back ? `connected again; nothing was missed since ${when}` : 'connected',
    lost: `connection to the listener lost at ${when}; trying again`,
    ended: `the listener ended at ${when}; start it again and open the address it prints`,
    locked: 'locked: open the whole address that the running listener printed, with what follows the #',
    crowded: 'this page is open too often; close it elsewhere',
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
  const to = targets.length === 0 ? 'kept here, forwarded nowhere' : targets.map(short).join(', ');
  const what =
    ready === null ? 'the listener is starting' : `${ready.endpoint_id} · ${ready.events.join(', ')} → ${to}`;
  const place = environment === 'live' ? el('strong', { className: 'live' }, 'LIVE') : (environment ?? 'unknown');
  const warnings = [
    ready?.unverified ? 'signatures are not checked' : '',
    ready?.chaos ? `chaos on purpose: ${ready.chaos}` : '',
    tunnel ? `tunnel: ${tunnel}` : '',
  ].filter(Boolean);
  const marks = warnings.map((text) => el('strong', { className: 'warning' }, text));
  at('facts').replaceChildren(place, ` · ${what}`, ...marks);
  const local = environment === 'local';
  const forward = local ? '' : ` --forward ${short(targets[0] ?? 'localhost:3000/hook')}`;
  at('how').textContent = local ? 'Make the sandbox send something:' : 'Create an application, or try your app alone:';
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

let asked = 0;

/** Whatever is new in it, the reader's place, the focus and the last word stay. */
async function showDetail() {
  const key = chosen;
  const mine = (asked += 1);
  const { ok, document: found } = await ask(`/deliveries/${key}`);
  if (mine !== asked || key !== chosen) return;
  const same = detail.dataset.key === key;
  const { scrollTop } = detail;
  const focused = detail.contains(document.activeElement) ? document.activeElement.name : undefined;
  const said = at('said')?.textContent ?? '';
  const again = (place, button) => void replay(key, place, button);
  detail.replaceChildren(...(ok ? detailView(found, again) : [el('p', {}, found.error)]));
  detail.querySelector('.back')?.addEventListener('click', leaveDetail);
  detail.dataset.key = key;
  if (!same) return;
  if (at('said')) at('said').textContent = said;
  detail.scrollTop = scrollTop;
  if (focused) [...detail.querySelectorAll('button')].find(({ name }) => name === focused)?.focus();
}

async function replay(key, place, button) {
  const say = (words) => {
    if (chosen === key && at('said')) at('said').textContent = words;
  };
  // Disabled for good it would lose the focus.
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  say('sending');
  const { ok, document: sent } = await ask(`/deliveries/${key}/replays/${place}`, { method: 'POST' });
  button.ariaDisabled = 'false';
  const answer = sent.status === null ? sent.error?.replaceAll('_', ' ') : `answered ${sent.status}`;
  say(ok ? `sent again: ${answer}, ${Math.round(sent.latency_ms ?? 0)} ms` : `not sent: ${sent.error}`);
}

async function ask(path, options = {}) {
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(path, { ...options, headers, cache: 'no-store' });
    return { ok: response.ok, document: await response.json() };
  } catch {
    return { ok: false, document: { error: 'the listener is not there' } };
  }
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && (chosen !== null || event.target === at('text'))) leaveDetail();
  // Nothing has the focus yet: the arrows begin where the hint says they do.
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
