/**
 * Just enough of the D-Bus message format (dbus.freedesktop.org/doc/dbus-specification.html) to ask with text arguments and to read
 * a text, number or boolean answer.
 */

export interface BusCall {
  destination: string;
  path: string;
  interface: string;
  member: string;
  /** Arguments by type: `s` text, `o` object path, `u` unsigned number. */
  arguments?: readonly (readonly ['s' | 'o', string] | readonly ['u', number])[];
}

/** A method return's first value, or the name of the error that came instead. */
export type BusReply = { value: string | number | boolean | null } | { error: string };

/** A reply here is a few hundred bytes; whoever sends more is not answering our question. */
const LARGEST = 1024 * 1024;

/** A method call, little-endian, ready for the socket. */
export function encodeCall(call: BusCall, serial: number): Buffer {
  const values = call.arguments ?? [];
  const body = new Writer();
  for (const [type, value] of values) {
    if (type === 'u') body.number(value);
    else body.text(value);
  }
  const header = new Writer();
  // Little-endian, method call, no flags, protocol version 1.
  header.bytes(0x6c, 1, 0, 1);
  header.number(body.length);
  header.number(serial);
  const fields = new Writer(16);
  fields.field(1, 'o', call.path);
  fields.field(2, 's', call.interface);
  fields.field(3, 's', call.member);
  fields.field(6, 's', call.destination);
  if (values.length > 0) fields.field(8, 'g', values.map(([type]) => type).join(''));
  header.number(fields.length);
  return Buffer.concat([header.buffer(), fields.buffer(), Buffer.alloc(-(16 + fields.length) & 7), body.buffer()]);
}

/** Bytes with D-Bus alignment, counted from `start` of the message. */
class Writer {
  readonly #bytes: number[] = [];
  readonly #start: number;

  constructor(start = 0) {
    this.#start = start;
  }

  get length(): number {
    return this.#bytes.length;
  }

  bytes(...values: number[]): void {
    this.#bytes.push(...values);
  }

  number(value: number): void {
    this.#align(4);
    this.#bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255);
  }

  text(value: string): void {
    const bytes = Buffer.from(value, 'utf8');
    this.number(bytes.length);
    this.#bytes.push(...bytes, 0);
  }

  field(code: number, type: 'o' | 's' | 'g', value: string): void {
    this.#align(8);
    this.#bytes.push(code, 1, type.charCodeAt(0), 0);
    if (type === 'g') this.#bytes.push(value.length, ...Buffer.from(value, 'latin1'), 0);
    else this.text(value);
  }

  buffer(): Buffer {
    return Buffer.from(this.#bytes);
  }

  #align(to: number): void {
    while ((this.#start + this.#bytes.length) % to !== 0) this.#bytes.push(0);
  }
}

interface Message {
  /** Serial of the call it answers; null for a signal or a call of others. */
  replyTo: number | null;
  reply: BusReply;
  rest: Buffer;
}

/** The first whole message of what arrived, null while it is incomplete. @throws Error when it is none. */
export function takeMessage(data: Buffer): Message | null {
  if (data.length < 16) return null;
  const little = data[0] === 0x6c;
  if (!little && data[0] !== 0x42) throw new Error('byte order');
  const number = (at: number) => (little ? data.readUInt32LE(at) : data.readUInt32BE(at));
  if (number(12) > LARGEST || number(4) > LARGEST) throw new Error('too long');
  const fieldsEnd = 16 + number(12);
  const bodyStart = (fieldsEnd + 7) & ~7;
  const end = bodyStart + number(4);
  if (data.length < end) return null;
  const fields = readFields(data, fieldsEnd, number);
  const rest = data.subarray(end);
  const type = data[1];
  const replyTo = type === 2 || type === 3 ? (fields.replyTo ?? null) : null;
  if (type === 3) return { replyTo, reply: { error: fields.errorName ?? 'unknown' }, rest };
  return { replyTo, reply: { value: firstValue(data, bodyStart, fields.signature ?? '', number) }, rest };
}

interface Fields {
  replyTo?: number;
  errorName?: string;
  signature?: string;
}

function readFields(data: Buffer, end: number, number: (at: number) => number): Fields {
  const fields: Fields = {};
  let at = 16;
  while (at < end) {
    at = (at + 7) & ~7;
    const code = data[at];
    const type = String.fromCharCode(data[at + 2] ?? 0);
    at += 4;
    if (type === 'g') {
      const length = data[at] ?? 0;
      if (code === 8) fields.signature = data.toString('latin1', at + 1, at + 1 + length);
      at += length + 2;
      continue;
    }
    at = (at + 3) & ~3;
    const value = number(at);
    if (type === 'u') {
      if (code === 5) fields.replyTo = value;
      at += 4;
    } else if (type === 's' || type === 'o') {
      if (code === 4) fields.errorName = data.toString('utf8', at + 4, at + 4 + value);
      at += 4 + value + 1;
    } else {
      throw new Error('field type');
    }
  }
  return fields;
}

function firstValue(data: Buffer, start: number, signature: string, number: (at: number) => number) {
  let type = signature.charAt(0);
  let at = start;
  if (type === 'v') {
    type = String.fromCharCode(data[at + 1] ?? 0);
    at += 3;
  }
  at = (at + 3) & ~3;
  if (type === 'b') return number(at) !== 0;
  if (type === 'u') return number(at);
  if (type === 's' || type === 'o') return data.toString('utf8', at + 4, at + 4 + number(at));
  return null;
}
