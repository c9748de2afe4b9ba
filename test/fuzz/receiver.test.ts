/** Raw bytes at the listener's port: nothing is taken that was not signed, and the port goes on answering. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before } from 'node:test';
import { signatureHeader } from '../../src/lib/contract/signature.ts';
import { openReceiver, type Receiver } from '../../src/lib/webhooks/listen/receiver.ts';
import { fuzz, textOf } from '../support/fuzz.ts';

const PATH = '/a-path-nobody-can-guess';
const SECRET = 'whsec_fuzz';
let receiver: Receiver;
let taken = 0;
before(async () => {
  receiver = await openReceiver({
    port: 0,
    path: PATH,
    secrets: () => [SECRET],
    now: Date.now,
    onDelivery: async () => {
      taken += 1;
      return 200;
    },
    onRejected: () => undefined,
  });
});
after(() => receiver.close(0));

/** Sends the bytes, ends its side, and waits until the other end is done. */
function send(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(receiver.port, '127.0.0.1', () => socket.end(Buffer.from(bytes, 'latin1')));
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.on('error', () => undefined).on('close', () => resolve(answer));
  });
}

const PIECES = [
  'POST ',
  PATH,
  ' HTTP/1.1\r\n',
  'Host: x\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Credicorp-Signature: t=1,v1=ab\r\n',
  '\r\n',
  '\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  'Expect: 100-continue\r\n',
  'Connection: credicorp-signature\r\n',
  '\n',
  '\u0000',
];

fuzz(
  'receiver: raw bytes',
  textOf(...PIECES),
  async (text) => {
    const before = taken;
    for (const bytes of [text, `POST ${PATH} HTTP/1.1\r\nHost: x\r\n${text}\r\n\r\n`])
      assert.doesNotMatch(await send(bytes), /^HTTP\/1\.1 200/);
    assert.equal(taken, before);
    const header = signatureHeader({ secrets: [SECRET], t: Math.floor(Date.now() / 1000), body: Buffer.from('{}') });
    const genuine = `POST ${PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCredicorp-Signature: ${header}\r\nContent-Length: 2\r\n\r\n{}`;
    assert.match(await send(genuine), /^HTTP\/1\.1 200/);
    assert.equal(taken, before + 1);
  },
  0.2,
);
