/** The commands as tools for an agent, with the built program: lines of JSON-RPC in, lines of JSON-RPC out. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { runInside } from '../support/inside.ts';
import { type Child, type Ended, finish, freshHome, start } from '../support/spawn.ts';

const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runInside(args, home.env);

interface Message {
  jsonrpc: string;
  id: number | string | null;
  result?: Record<string, unknown>;
  error?: { code: number; message: string };
}

interface ToolResult {
  content: { text: string }[];
  structuredContent?: Record<string, unknown>;
  isError: boolean;
}

before(async () => {
  const started = await run('sandbox', 'start', '--background', '--port', '0');
  assert.equal(started.status, 0, started.stderr);
});
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

/** A client that asks and waits for the answer with its id. */
class Client {
  readonly child: Child;
  readonly stray: Message[] = [];
  readonly #waiting = new Map<number, (message: Message) => void>();
  #last = 0;

  constructor(args: string[] = [], env: Record<string, string> = {}) {
    this.child = start('bin/run.js', ['mcp', ...args], { ...home.env, ...env });
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as Message;
      const waiting = typeof message.id === 'number' ? this.#waiting.get(message.id) : undefined;
      if (waiting) waiting(message);
      else this.stray.push(message);
    });
  }

  write(message: unknown): void {
    this.child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  /** @returns the id that was used, and the answer */
  ask(method: string, params: Record<string, unknown> = {}): { id: number; answer: Promise<Message> } {
    const id = (this.#last += 1);
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.write({ jsonrpc: '2.0', id, method, params });
    return { id, answer };
  }

  async call(name: string, given: Record<string, unknown> = {}): Promise<ToolResult> {
    const message = await this.ask('tools/call', { name, arguments: given }).answer;
    assert.ok(message.result, JSON.stringify(message.error));
    return message.result as unknown as ToolResult;
  }

  end(): Promise<Ended> {
    return finish(this.child);
  }
}

describe('a session', () => {
  it('agrees on a revision, lists tools, and ends with its input', async () => {
    const client = new Client();
    const offered = await client.ask('initialize', { protocolVersion: '2025-06-18', capabilities: {} }).answer;
    assert.equal(offered.result?.['protocolVersion'], '2025-06-18');
    assert.deepEqual(offered.result?.['capabilities'], { tools: { listChanged: false } });
    const unknown = await client.ask('initialize', { protocolVersion: '1999-01-01' }).answer;
    assert.equal(unknown.result?.['protocolVersion'], '2025-11-25');
    client.write({ jsonrpc: '2.0', method: 'notifications/initialized' });
    assert.deepEqual((await client.ask('ping').answer).result, {});
    const { tools } = (await client.ask('tools/list').answer).result as { tools: { name: string }[] };
    assert.ok(tools.some(({ name }) => name === 'apps_create'));
    const ended = await client.end();
    assert.equal(ended.status, 0);
    assert.deepEqual(client.stray, []);
  });

  it('runs the real commands: documents come back as they are, failures as the error document', async () => {
    const client = new Client();
    const made = await client.call('apps_create', {
      company: '16093826',
      amount: 25_000,
      term: '12',
      metadata: ['a=1', 'b=2'],
    });
    assert.equal(made.isError, false);
    assert.equal(made.structuredContent?.['amount_pence'], 2_500_000);
    assert.deepEqual(made.structuredContent?.['metadata'], { a: '1', b: '2' });
    assert.deepEqual(JSON.parse(made.content[0]?.text ?? ''), made.structuredContent);
    const id = String(made.structuredContent?.['id']);
    const decided = await client.call('decisions_get', { id, wait: '20s' });
    assert.equal(decided.structuredContent?.['outcome'], 'approved');
    const missing = await client.call('apps_get', { id: 'app_nope' });
    assert.equal(missing.isError, true);
    const { error } = JSON.parse(missing.content[0]?.text ?? '') as { error: { kind: string; request_id: string } };
    assert.equal(error.kind, 'not_found');
    const log = await client.call('logs_tail', { 'request-id': error.request_id });
    assert.match(log.content[0]?.text ?? '', new RegExp(error.request_id));
    await client.end();
  });

  it('takes an argument for a value, never for a flag, and says which arguments there are', async () => {
    const client = new Client();
    const injected = await client.call('apps_get', { id: '--debug' });
    assert.match(injected.content[0]?.text ?? '', /No such application: --debug/);
    for (const given of [
      { company: '16093826', yes: true },
      { company: '16093826', from: '/etc/passwd' },
      { '--debug': true },
    ]) {
      const refused = await client.call('apps_create', given);
      assert.equal(refused.isError, true);
      assert.match(refused.content[0]?.text ?? '', /^unknown argument .*; known arguments: .*company/);
    }
    const shaped = await client.call('apps_create', { company: { deep: 1 } });
    assert.match(shaped.content[0]?.text ?? '', /company must be a string/);
    await client.end();
  });

  it('answers concurrent calls, and no cancelled one', async () => {
    const client = new Client();
    const slow = client.ask('tools/call', {
      name: 'webhooks_expect',
      arguments: { type: 'payment.settled', timeout: '60s' },
    });
    const quick = await Promise.all([client.call('apps_list', { limit: 1 }), client.call('status')]);
    assert.deepEqual(
      quick.map(({ isError }) => isError),
      [false, false],
    );
    client.write({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: slow.id } });
    const ended = await client.end();
    assert.equal(ended.status, 0);
    assert.equal(await Promise.race([slow.answer, Promise.resolve('unanswered')]), 'unanswered');
  });

  it('ends with 0 on a signal, with a call under way', async () => {
    const client = new Client();
    client.ask('tools/call', { name: 'webhooks_expect', arguments: { type: 'payment.settled', timeout: '60s' } });
    await client.ask('ping').answer;
    client.child.kill('SIGTERM');
    const [status] = (await once(client.child, 'close')) as [number | null];
    assert.equal(status, 0);
  });
});

describe('a client that does not know the protocol', () => {
  const rows: [line: string, code: number][] = [
    ['{', -32_700],
    ['[]', -32_600],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', -32_600],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', -32_600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32_600],
    ['{"jsonrpc":"2.0","id":1,"method":"resources/list"}', -32_601],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"token"}}', -32_602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"constructor"}}', -32_602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"status","arguments":[]}}', -32_602],
  ];
  it('gets an error for each bad line, and the next line is read', async () => {
    const input = [...rows.map(([line]) => line), '', '{"jsonrpc":"2.0","id":1,"result":{}}', ''].join('\n');
    const ended = await runInside(['mcp'], home.env, input);
    assert.equal(ended.status, 0, ended.stderr);
    const codes = ended.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Message).error?.code);
    assert.deepEqual(
      codes,
      rows.map(([, code]) => code),
    );
  });
});

describe('what an agent may not use', () => {
  it('no tool prints a secret, names a file or a host, runs a program or opens a port', async () => {
    const client = new Client();
    const { tools } = (await client.ask('tools/list').answer).result as {
      tools: { name: string; inputSchema: { properties: object } }[];
    };
    await client.end();
    const names = tools.map(({ name }) => name);
    for (const none of [
      'token',
      'api',
      'login',
      'logout',
      'webhooks_secret',
      'webhooks_listen',
      'webhooks_send',
      'webhooks_endpoints_create',
      'proxy_start',
      'sandbox_start',
      'open',
      'mcp',
    ])
      assert.ok(!names.includes(none), none);
    for (const { name, inputSchema } of tools)
      for (const argument of Object.keys(inputSchema.properties))
        assert.doesNotMatch(
          argument,
          /^(yes|profile|api-base|from|input|output|forward|exec|open|copy)$|file|stdin|secret|remote/,
          `${name} ${argument}`,
        );
  });

  it('a write on live, unless the user said --yes when starting the server', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(500).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // The live host is out of reach here: a call that is let through fails at this proxy instead.
    const env = {
      CC_SECRET_KEY: 'sk_live_PLANTED123456',
      HTTPS_PROXY: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    };
    server.on('connect', (request, socket) => {
      asked.push(`CONNECT ${request.url}`);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    const given = { company: '16093826', amount: '25000', term: '12' };
    const careful = new Client([], env);
    const refused = await careful.call('apps_create', given);
    await careful.end();
    assert.match(refused.content[0]?.text ?? '', /"code":"live_needs_yes"/);
    assert.deepEqual(asked, []);
    const willing = new Client(['--yes', '--max-retries', '0'], env);
    const sent = await willing.call('apps_create', given);
    await willing.end();
    server.close();
    server.closeAllConnections();
    assert.equal(sent.isError, true);
    assert.match(asked.join(), /^CONNECT .*:443/);
    assert.doesNotMatch(JSON.stringify([refused, sent]), /PLANTED/);
  });

  it('works in a world without colour', async () => {
    const plain = new Client(['--no-color']);
    const { isError, content } = await plain.call('whoami', {});
    await plain.end();
    assert.notEqual(isError, true, content[0]?.text);
  });
});
