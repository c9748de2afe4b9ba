/** The connection to the listener: server-sent events read with fetch, because EventSource cannot send the token in a header. */

/** After this long without data the connection counts as lost: the listener sends a comment every ten seconds. */
const SILENCE_MS = 25_000;
const LONGEST_WAIT_MS = 5000;

/**
 * Follows the stream until the listener ends it, the token is refused, or `signal` is aborted. Changes missed while disconnected are sent
 * on the next connection.
 * @param {{token: string, onEvent: (event: string, data: any) => void, onState: (state: string) => void, signal: AbortSignal, base?: string,
 *   firstWaitMs?: number}} options `onState` is called with `live`, `lost`, `locked`, `crowded` or `ended`
 */
export async function follow({ token, onEvent, onState, signal, base = '', firstWaitMs = 500 }) {
  let lastId = null;
  let wait = firstWaitMs;
  while (!signal.aborted) {
    let over = false;
    const parse = createParser(({ event, data, id }) => {
      if (id !== null) lastId = id;
      if (event === 'end') over = true;
      else onEvent(event, data);
    });
    const status = await connect(`${base}/stream`, { token, lastId, signal, parse, open: () => onState('live') });
    if (signal.aborted) return;
    if (over) return onState('ended');
    if (status === 401) return onState('locked');
    if (status === 200) wait = firstWaitMs;
    onState(status === 503 ? 'crowded' : 'lost');
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }
}

/** One connection, to its end. Resolves to the status; 0 when there was none. */
async function connect(url, { token, lastId, signal, parse, open }) {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENCE_MS);
  let status = 0;
  try {
    const headers = { Authorization: `Bearer ${token}`, ...(lastId === null ? {} : { 'Last-Event-ID': lastId }) };
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, silent.signal]), cache: 'no-store' });
    status = response.status;
    if (status !== 200) return status;
    open();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), SILENCE_MS);
      parse(value);
    }
  } catch {
    // Broken off, silent or never opened: the caller connects again in each case.
  } finally {
    clearTimeout(timer);
  }
  return status;
}

/**
 * Parses the text of an event stream, given in pieces of any size, and emits complete events with their data parsed as JSON.
 * @param {(event: {event: string, data: any, id: string | null}) => void} emit
 */
export function createParser(emit) {
  let rest = '';
  let event = { event: 'message', data: '', id: null };
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (event.data !== '') emit({ ...event, data: JSON.parse(event.data) });
        event = { event: 'message', data: '', id: null };
        continue;
      }
      const colon = line.indexOf(': ');
      const name = line.slice(0, Math.max(colon, 0));
      if (Object.hasOwn(event, name)) event[name] = line.slice(colon + 2);
    }
  };
}
