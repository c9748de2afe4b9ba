/** The line to the listener: server-sent events read by hand, because the token travels in a header and EventSource sends none. */

/** Longer silence than this means that nobody is there: the listener says something every ten seconds. */
const SILENCE_MS = 25_000;
const LONGEST_WAIT_MS = 5000;

/**
 * Follows until the listener says goodbye, the token is refused, or `signal` is aborted. What was missed while the line was down comes
 * with the next connection.
 * @param {{token: string, take: (event: string, data: any) => void, turn: (state: string) => void, signal: AbortSignal, base?: string,
 *   firstWaitMs?: number}} options `turn` is called with `live`, `lost`, `locked`, `crowded` or `ended`
 */
export async function follow({ token, take, turn, signal, base = '', firstWaitMs = 500 }) {
  let lastId = null;
  let wait = firstWaitMs;
  while (!signal.aborted) {
    let over = false;
    const parse = createParser(({ event, data, id }) => {
      if (id !== null) lastId = id;
      if (event === 'end') over = true;
      else take(event, data);
    });
    const status = await connect(`${base}/stream`, { token, lastId, signal, parse, open: () => turn('live') });
    if (signal.aborted) return;
    if (over) return turn('ended');
    if (status === 401) return turn('locked');
    if (status === 200) wait = firstWaitMs;
    turn(status === 503 ? 'crowded' : 'lost');
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
    // Cut off, silent, or never there: all the same to whoever waits.
  } finally {
    clearTimeout(timer);
  }
  return status;
}

/**
 * Takes the text of an event stream in pieces of any size and hands over whole events, their data read as JSON.
 * @param {(event: {event: string, data: any, id: string | null}) => void} take
 */
export function createParser(take) {
  let rest = '';
  let event = { event: 'message', data: '', id: null };
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (event.data !== '') take({ ...event, data: JSON.parse(event.data) });
        event = { event: 'message', data: '', id: null };
        continue;
      }
      const colon = line.indexOf(': ');
      const name = line.slice(0, Math.max(colon, 0));
      if (Object.hasOwn(event, name)) event[name] = line.slice(colon + 2);
    }
  };
}
