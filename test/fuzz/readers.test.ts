/** Whatever comes from outside, each reader answers with a value or with a refusal in words: never with a mistake of the program. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import * as fc from 'fast-check';
import { findPin } from '../../src/lib/auth/credentials/directory-pin.ts';
import { connectBus } from '../../src/lib/auth/keychain/linux/dbus.ts';
import { findProvider } from '../../src/lib/auth/providers/provider.ts';
import { csvLine, parseCsv, parseRows } from '../../src/lib/cli/bulk/rows-file.ts';
import { serve } from '../../src/lib/cli/mcp/server.ts';
import { parseJson, writeJson } from '../../src/lib/contract/json.ts';
import { redactBody, redactHeaders, redactText } from '../../src/lib/contract/secrets.ts';
import { signatureHeader, verify } from '../../src/lib/contract/signature.ts';
import { Failure } from '../../src/lib/failure.ts';
import { readServerEvents } from '../../src/lib/journal/server-events.ts';
import { fuzz, textOf } from '../support/fuzz.ts';
import { PIECES } from '../support/redaction-corpus.ts';

const folder = mkdtempSync(join(tmpdir(), 'credicorp-fuzz-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs it; a refusal must be one that is meant. */
function refusesOnly<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure && error.kind !== 'bug') return null;
    throw error;
  }
}

fuzz('redaction: nothing throws, and JSON stays JSON', textOf(...PIECES), (text) => {
  redactText(redactText(text));
  const document = JSON.stringify({ note: text, [text]: [text, 1.5, null] });
  const parsed = JSON.parse(redactText(document)) as Record<string, unknown>;
  assert.equal(Object.keys(parsed).length, Object.keys(JSON.parse(document) as object).length);
  assert.ok(redactBody(text, 40).length < 600);
  redactHeaders({ [text]: text, authorization: text, location: text, 'x-signature': text });
});

fuzz('redaction: a known secret is gone, whatever stands round it', textOf(...PIECES), (text) => {
  const secret = 'Zq7$Planted{Secret}9931xK';
  assert.ok(!redactText(text + secret + text, [secret]).includes(secret));
  assert.ok(!redactText(JSON.stringify({ [text]: [text + secret] }), [secret]).includes('Planted{Secret}9931'));
});

fuzz(
  'signature: no header verifies that was not signed',
  textOf('t=', 'v1=', 'v0=', ',', '=', '1', 'ab', ' ', 't=1,v1='),
  (header) => {
    const secret = 'whsec_fuzz';
    const body = Buffer.from(header);
    const genuine = signatureHeader({ secrets: [secret], t: 1000, body });
    assert.equal(verify({ header: genuine, body, secrets: [secret], now: 1000 }).valid, true);
    assert.equal(verify({ header, body, secrets: [secret], now: 1000 }).valid, false);
    // With rubbish in front the MAC may still be found; with another body never.
    assert.equal(
      verify({ header: header + genuine, body: Buffer.from(`${header}x`), secrets: [secret], now: 1000 }).valid,
      false,
    );
  },
);

const jsonPieces = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '1',
  '-0',
  '1.0',
  '9007199254740993',
  '1e400',
  'null',
  'true',
  '\\u0000',
  '__proto__',
  '\\',
];

fuzz('JSON reader: the same documents as JSON.parse, and numbers as they were sent', textOf(...jsonPieces), (text) => {
  let expected: unknown;
  try {
    expected = JSON.parse(text);
  } catch {
    assert.throws(() => parseJson(text), SyntaxError);
    return;
  }
  assert.deepEqual(JSON.parse(writeJson(parseJson(text))), expected);
});

fuzz(
  'CSV: refused in words or read, and what was written is read again',
  textOf('"', '""', ',', '\n', '\r\n', '\r', 'a', '\uFEFF', ' ', ...jsonPieces),
  (text) => {
    refusesOnly(() => parseRows(text));
    const records = refusesOnly(() => parseCsv(text));
    const first = records?.[0]?.cells;
    if (first !== undefined) assert.deepEqual(parseCsv(csvLine(first))[0]?.cells, first);
  },
);

fuzz(
  'pin file: refused in words or read, and never with a secret in it',
  textOf(
    '{"profile":"a"',
    ',"base":"',
    'http://127.0.0.1:1',
    'https://x@y',
    '"',
    '}',
    ',"token_url":"',
    'client_secret',
    'sk_live_ab12',
    ':',
    ...jsonPieces,
  ),
  (text) => {
    writeFileSync(join(folder, '.credicorp.json'), text);
    const pin = refusesOnly(() => findPin(folder, folder));
    if (pin !== null) assert.ok(!JSON.stringify(pin).includes('sk_live_ab12'));
  },
  0.5,
);

mkdirSync(join(folder, 'providers'), { mode: 0o700 });
fuzz(
  'provider file: refused in words or read',
  textOf(
    '{"name":"mine"',
    ',"title":',
    '"signature":{',
    '"headers":{',
    '"base":"https://h"',
    '"token":',
    ...jsonPieces,
  ),
  (text) => {
    writeFileSync(join(folder, 'providers', 'mine.json'), text, { mode: 0o600 });
    refusesOnly(() => findProvider('mine', folder));
  },
  0.5,
);

fuzz(
  'server-sent events: the same messages however the bytes are cut',
  textOf('data: ', 'id: ', 'event: ', '\n', '\n\n', '\r', '\r\n', ':', '\u0000', '\uFEFF', 'é'),
  async (text) => {
    const bytes = Buffer.from(text);
    const messages = async (size: number): Promise<unknown[]> => {
      const found: unknown[] = [];
      for await (const message of readServerEvents(pieces(bytes, size))) found.push(message);
      return found;
    };
    assert.deepEqual(await messages(1), await messages(bytes.length + 1));
  },
);

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

fuzz(
  'MCP: one answer to each request, all of them JSON-RPC',
  textOf(
    '{"jsonrpc":"2.0"',
    ',"id":1',
    ',"method":"',
    'tools/call',
    'tools/list',
    'ping"',
    ',"params":{',
    '"name":"t"',
    '\n',
    ...jsonPieces,
  ),
  async (text) => {
    const sent: string[] = [];
    const server = {
      version: '1',
      instructions: '',
      tools: [],
      call: () => Promise.reject(new Error('no tool')),
      send: (line: string) => void sent.push(line),
    };
    const lines = text.split('\n');
    await serve(pass(lines), server);
    assert.ok(sent.length <= lines.length);
    for (const line of sent) assert.equal((JSON.parse(line) as { jsonrpc: string }).jsonrpc, '2.0');
  },
);

async function* pass(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

/** A bus that greets and then says whatever it was given. */
let says = Buffer.alloc(0);
const bus = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => {
    socket.write('OK 1234\r\n');
    socket.once('data', () => socket.end(says));
  });
});
bus.listen(join(folder, 'bus'));
await once(bus, 'listening');
after(() => bus.close());

const busBytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'l\u0002\u0000\u0001',
        '\u0005\u0001u\u0000',
        '\u0001\u0000\u0000\u0000',
        '\u00ff\u00ff\u00ff\u00ff',
        's',
        'B',
      ),
      fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) }),
    ),
    { maxLength: 20 },
  )
  .map((parts) => parts.join(''));
fuzz(
  'D-Bus: a reply or an error, never silence',
  busBytes,
  async (text) => {
    says = Buffer.from(text, 'latin1');
    await connectBus(join(folder, 'bus'), 1000).then(
      (connected) => connected.close(),
      (error: unknown) => assert.ok(error instanceof Error && /bus|E[A-Z]+/.test(error.message), String(error)),
    );
  },
  0.3,
);
