/**
 * A connection to a D-Bus message bus, to ask a service a question. Needed because the keychain library says "nothing stored" for a
 * locked keyring.
 */

import { connect, type Socket } from 'node:net';
import { type BusCall, type BusReply, encodeCall, takeMessage } from './dbus-message.ts';

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
 * Connects to a message bus at a socket path (a leading NUL for an abstract one) and says hello. Whoever calls sets the time limit.
 * @throws Error when nobody listens there or the bus refuses this user.
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
      this.#fail(new Error('the bus sent something that is no D-Bus message'));
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.#socket.destroy();
  }
}

/** SASL EXTERNAL: the kernel tells the bus who we are, we only name the user. Gives what arrived after the greeting. */
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
