/** Header lists as they came: names and values in turn, in their own spelling and order. */

/** Meant for one connection only (RFC 9110 §7.6.1), and what each end says about its own message framing. */
const ONE_CONNECTION = /^(?:connection|keep-alive|proxy-connection|proxy-authorization|te|upgrade|expect)$/;

/** What goes on to the other side: everything but the headers of the one connection, and those that `Connection` names. */
export function passedOn(raw: readonly string[], alsoWithout: (name: string) => boolean = () => false): string[] {
  const named = new Set(valuesOf(raw, 'connection').flatMap((value) => value.toLowerCase().split(/\s*,\s*/)));
  const chunked = /chunked/i.test(valuesOf(raw, 'transfer-encoding').join());
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    // A length must not be lost, whatever `Connection` says.
    const dropped = named.has(name) && name !== 'content-length' && name !== 'transfer-encoding';
    // Trailers travel in chunks only, and Node throws where they are announced otherwise.
    if (name === 'trailer' && !chunked) continue;
    if (!ONE_CONNECTION.test(name) && !dropped && !alsoWithout(name)) kept.push(raw[at] ?? '', raw[at + 1] ?? '');
  }
  return kept;
}

export function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === name);
}

/** One value for each name, for a record. */
export function asRecord(raw: readonly string[]): Record<string, string> {
  const record = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const before = record.get(name);
    record.set(name, before === undefined ? (raw[at + 1] ?? '') : `${before}, ${raw[at + 1]}`);
  }
  return Object.fromEntries(record);
}
