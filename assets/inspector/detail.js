/** The selected delivery in full. All text from outside is inserted as text, never as HTML. */
import { answerOf, el, short, timeOf } from './list.js';

let raw = false;

/** @param {any} detail @param {(place: number, button: HTMLButtonElement) => void} replay @returns {Node[]} */
export function detailView(detail, replay) {
  const { row, refusal, attempts } = detail;
  return [
    el('button', { type: 'button', className: 'back', name: 'back' }, '← All deliveries'),
    el('h2', {}, row.event_type ?? (refusal ? 'A rejected delivery' : 'Not an event')),
    factsOf(row),
    refusal ? refusalView(row, refusal) : '',
    refusal ? '' : section('Your app', ...appView(row, attempts, replay)),
    detail.steps.length > 0 ? section('Signature', stepsView(detail.steps)) : '',
    section('Body', ...bodyNodes(detail.body)),
    section('Headers', headersView(detail.headers)),
  ].filter((node) => node !== '');
}

function section(title, ...children) {
  return el('section', {}, el('h3', {}, title), ...children);
}

function factsOf(row) {
  const facts = [
    ['Received', timeOf(row.at, new Date(0))],
    ['Event', row.event_id],
    ['Resource', row.resource_id],
    ['Delivery', row.delivery_id],
    ['Inbox', row.key.startsWith('r') ? 'not kept' : row.key],
  ].filter(([, value]) => value !== null);
  return el('dl', {}, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}

function refusalView({ cause }, { status, meaning, next, detail }) {
  return el(
    'div',
    { className: 'callout bad' },
    el('p', {}, el('strong', {}, `Rejected with ${status}: ${cause}. `), `${meaning}${detail ? ` (${detail})` : ''}.`),
    el('p', {}, `What to do: ${next}.`),
    el('p', {}, 'It was not forwarded.'),
  );
}

function appView(row, attempts, replay) {
  if (row.targets.length === 0)
    return [el('p', {}, 'Not forwarded: no target is configured for this event. It is stored in the inbox.')];
  const buttons = row.targets.map(({ target }, place) => {
    const button = el('button', { type: 'button', name: `replay${place}` }, `Send again to ${short(target)}`);
    button.addEventListener('click', () => replay(place, button));
    return button;
  });
  const first = attempts.find(({ kind }) => kind === 'earlier');
  return [
    el('p', { className: 'acts' }, ...buttons),
    el('p', { id: 'result', role: 'status' }),
    attempts.length === 0 ? el('p', {}, pendingText(row)) : attemptsView(row, attempts),
    first && first.attempt > 1
      ? el(
          'p',
          { className: 'hint' },
          'Earlier attempts: ',
          el('code', {}, `credicorp logs show ${row.delivery_id ?? row.event_id ?? ''}`),
        )
      : '',
  ];
}

function pendingText({ targets }) {
  return targets.every(({ state }) => state === 'duplicate')
    ? 'A duplicate: your app has this event already, or it is being delivered, so it was not forwarded again.'
    : 'Being delivered.';
}

function attemptsView({ targets }, attempts) {
  const several = targets.length > 1;
  const newestFirst = [...attempts].reverse();
  return el(
    'ol',
    { className: 'attempts' },
    ...newestFirst.map((attempt, place) => attemptView(attempt, { several, newer: newestFirst[place - 1] })),
  );
}

function attemptView(
  { kind, at, target, attempt, status, error, latency_ms, answer, hint, chaos },
  { several, newer },
) {
  const good = status !== null && status >= 200 && status < 300;
  const name = kind === 'replay' ? `sent again (${attempt})` : `attempt ${attempt}`;
  const place = several ? ` at ${short(target)}` : '';
  const took = latency_ms === null ? '' : `${Math.round(latency_ms)} ms`;
  return el(
    'li',
    { className: good ? 'good' : 'bad' },
    el(
      'p',
      {},
      el('strong', {}, `${good ? '✓' : '✗'} ${answerOf({ status, error })}`),
      ` ${took} · ${name}${place} · ${timeOf(at)}`,
    ),
    chaos ? el('p', { className: 'hint' }, `injected fault: ${chaos}`) : '',
    hint ? el('p', { className: 'hint' }, hint) : '',
    answerView(answer, newer?.answer),
  );
}

/** A failing app often gives the same answer each time: it is shown once. */
function answerView(answer, newer) {
  if (!answer) return '';
  if (answer === newer) return el('p', { className: 'hint' }, 'the same answer');
  return el('pre', { tabIndex: 0, ariaLabel: 'The beginning of the answer' }, answer);
}

const STEP_SIGNS = { good: ['✓', 'yes: '], bad: ['✗', 'no: '], unseen: ['·', 'not reached: '], warn: ['!', 'note: '] };

function stepsView(steps) {
  const lines = steps.map(({ state, text }) => {
    const [sign, word] = STEP_SIGNS[state];
    return el(
      'li',
      { className: state },
      el('span', { className: 'sign', ariaHidden: 'true' }, sign),
      el('span', {}, el('span', { className: 'spoken' }, word), text),
    );
  });
  return el('ol', { className: 'steps' }, ...lines);
}

function bodyNodes(body) {
  if (body === null) return [el('p', {}, 'No longer available.')];
  if (body.kind === 'empty') return [el('p', {}, 'The body is empty.')];
  const shown = el('pre', { tabIndex: 0, ariaLabel: 'The body' });
  const modes = [
    ['Pretty', false],
    ['Raw', true],
  ].map(([label, value]) => {
    const button = el('button', { type: 'button', className: 'mode', name: label }, label);
    button.addEventListener('click', () => {
      raw = value;
      update();
    });
    return button;
  });
  const update = () => {
    const showRaw = raw || body.pretty === null;
    shown.textContent = showRaw ? body.text : body.pretty;
    for (const [place, button] of modes.entries()) button.ariaPressed = String((place === 1) === showRaw);
  };
  update();
  if (body.pretty === null) modes[0].disabled = true;
  const notes = [
    `${body.bytes} bytes${body.kind === 'binary' ? ', not text' : ''}`,
    body.redacted ? 'values that look like secrets are redacted' : '',
    body.cut ? 'only the beginning is shown' : '',
  ];
  return [
    el('p', { className: 'acts' }, ...modes, el('span', { className: 'hint' }, notes.filter(Boolean).join(' · '))),
    shown,
  ];
}

function headersView(headers) {
  if (headers === null) return el('p', {}, 'No longer available.');
  const rows = headers.map(([name, value]) => el('tr', {}, el('th', { scope: 'row' }, name), el('td', {}, value)));
  return el('table', { className: 'headers' }, el('tbody', {}, ...rows));
}
