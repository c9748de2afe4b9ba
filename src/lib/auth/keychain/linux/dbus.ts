/**
 * A minimal D-Bus client that calls one method of a service. Needed because the keychain library reports "nothing stored" for a
 * locked keyring.
 */
import { connect, type Socket } from 'node:net';

export interface Bus {
  call(call: BusCall): Promise<BusReply>;
  close(): void;
}

const HELLO: BusCall = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
  member: 'Hello',
};

/**
 * Connects to a message bus at a socket path (a leading NUL for an abstract one) and authenticates. The caller sets the time limit.
 * @throws Error when the connection is refused or the bus refuses this user.
 */
export async function connectBus(socketPath: string, uid: number): Promise<Bus> {
  const socket = connect(socketPath);
  const early = await authenticate(socket, uid);
  const waiting = new Waiting(socket, early);
  await waiting.call(HELLO);
  return { call: (question) => waiting.call(question), close: () => socket.destroy() };
}

/** The calls that have no reply yet, by serial number. */
class Waiting {
  readonly #socket: Socket;
  readonly #calls = new Map<number, PromiseWithResolvers<BusReply>>();
  #serial = 0;
  #unread: Buffer;

  constructor(socket: Socket, early: Buffer) {
    this.#socket = socket;
    this.#unread = early;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('close', () => this.#fail(new Error('the bus closed the connection')));
    socket.on('error', (error) => this.#fail(error));
  }

  call(question: BusCall): Promise<BusReply> {
    this.#serial += 1;
    const reply = Promise.withResolvers<BusReply>();
    this.#calls.set(this.#serial, reply);
    this.#socket.write(encodeCall(question, this.#serial));
    return reply.promise;
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    try {
      for (let message = takeMessage(this.#unread); message !== null; message = takeMessage(this.#unread)) {
        this.#unread = message.rest;
        if (message.replyTo === null) continue;
        this.#calls.get(message.replyTo)?.resolve(message.reply);
        this.#calls.delete(message.replyTo);
      }
    } catch {
      this.#fail(new Error('the bus sent something that is not a D-Bus message'));
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.#socket.destroy();
  }
}

/** Authenticates with SASL EXTERNAL: the kernel proves our user id to the bus. @returns the bytes received after the handshake */
function authenticate(socket: Socket, uid: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let greeting = Buffer.alloc(0);
    const settle = (act: () => void) => {
      socket.removeAllListeners();
      act();
    };
    socket.on('error', (error) => settle(() => reject(error)));
    socket.on('close', () => settle(() => reject(new Error('the bus closed the connection'))));
    socket.on('data', (chunk: Buffer) => {
      greeting = Buffer.concat([greeting, chunk]);
      const end = greeting.indexOf('\r\n');
      if (end < 0 && greeting.length < 4096) return;
      const line = greeting.subarray(0, Math.max(end, 0)).toString('latin1');
      if (!line.startsWith('OK ')) {
        settle(() => reject(new Error('the bus refused this user')));
        socket.destroy();
        return;
      }
      settle(() => resolve(greeting.subarray(end + 2)));
      socket.write('BEGIN\r\n');
    });
    socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(uid)).toString('hex')}\r\n`);
  });
}

export interface BusCall {
  destination: string;
  path: string;
  interface: string;
  member: string;
  /** Arguments by type: `s` text, `o` object path, `u` unsigned number. */
  arguments?: readonly (readonly ['s' | 'o', string] | readonly ['u', number])[];
}

/** The first value of a method return, or the name of the error. */
export type BusReply = { value: string | number | boolean | null } | { error: string };

/** Largest reply that is accepted, in bytes; real ones have a few hundred. */
const LARGEST = 1024 * 1024;

/** Encodes a method call, little-endian. */
function encodeCall(call: BusCall, serial: number): Buffer {
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
  /** Serial of the call it answers; null for a signal or another client's call. */
  replyTo: number | null;
  reply: BusReply;
  rest: Buffer;
}

/** The first complete message in the received bytes; null while it is incomplete. @throws Error when it is not a D-Bus message */
function takeMessage(data: Buffer): Message | null {
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
