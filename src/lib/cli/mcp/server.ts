/**
 * The Model Context Protocol over lines of JSON-RPC 2.0 (MCP 2025-11-25: lifecycle, server/tools, transports/stdio): reads requests and
 * writes responses. The tools are a parameter.
 */
import { isRecord } from '../../contract/json.ts';
import type { Tool, ToolResult } from './tools.ts';

export interface Server {
  version: string;
  instructions: string;
  tools: readonly Tool[];
  /** Runs a tool. @param signal aborted when the client cancels the call */
  call(name: string, given: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ToolResult>;
  /** Writes one line; called without the line break. */
  send(line: string): void;
}

/** Supported protocol versions, newest first. A client that requests another version is offered the newest (MCP: lifecycle). */
const REVISIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
const METHOD_NOT_FOUND = -32_601;
const INVALID_PARAMS = -32_602;
const INTERNAL_ERROR = -32_603;

/** Most concurrent calls; further ones are refused. */
const MAX_CALLS = 8;

type Id = string | number;
type Answer = { result: unknown } | { error: { code: number; message: string } };

/** Serves until the input ends and all running calls have ended. */
export async function serve(lines: AsyncIterable<string>, server: Server): Promise<void> {
  const running = new Map<Id, { controller: AbortController; ended: Promise<void> }>();
  const reply = (id: Id | null, answer: Answer): void => server.send(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  for await (const line of lines) {
    if (line.trim() === '') continue;
    const message = read(line);
    if (message === null) reply(null, failed(PARSE_ERROR, 'this line is not JSON'));
    else if (isResponse(message)) continue;
    else if (!isRequest(message)) reply(null, failed(INVALID_REQUEST, 'this is not a JSON-RPC 2.0 request'));
    else if (message.id === undefined) takeNotice(message, running);
    else if (message.method !== 'tools/call') reply(message.id, answerOf(message, server));
    else startCall({ ...message, id: message.id }, server, running, reply);
  }
  await Promise.all([...running.values()].map(({ ended }) => ended));
}

function answerOf({ method, params }: Request, server: Server): Answer {
  switch (method) {
    case 'initialize': {
      const asked = params['protocolVersion'];
      return {
        result: {
          protocolVersion: REVISIONS.find((revision) => revision === asked) ?? REVISIONS[0],
          capabilities: { tools: { listChanged: false } },
          serverInfo: { name: 'credicorp', version: server.version },
          instructions: server.instructions,
        },
      };
    }
    case 'ping':
      return { result: {} };
    case 'tools/list':
      return { result: { tools: server.tools } };
    default:
      return failed(METHOD_NOT_FOUND, 'unknown method; known are: initialize, ping, tools/list, tools/call');
  }
}

function startCall(
  { id, params }: Request & { id: Id },
  server: Server,
  running: Map<Id, { controller: AbortController; ended: Promise<void> }>,
  reply: (id: Id, answer: Answer) => void,
): void {
  const { name, arguments: given = {} } = params;
  if (typeof name !== 'string' || !server.tools.some((tool) => tool.name === name))
    return reply(id, failed(INVALID_PARAMS, 'unknown tool; see tools/list'));
  if (!isRecord(given)) return reply(id, failed(INVALID_PARAMS, 'arguments must be an object'));
  if (running.has(id)) return reply(id, failed(INVALID_REQUEST, 'a call with this id is already running'));
  if (running.size >= MAX_CALLS)
    return reply(id, failed(INTERNAL_ERROR, `${MAX_CALLS} calls are running; wait until one of them has ended`));
  const controller = new AbortController();
  const ended = server.call(name, given, controller.signal).then(
    (result) => {
      running.delete(id);
      // Cancelled: the client does not expect an answer (MCP: utilities/cancellation).
      if (!controller.signal.aborted) reply(id, { result });
    },
    () => {
      running.delete(id);
      if (!controller.signal.aborted) reply(id, failed(INTERNAL_ERROR, 'this is a bug in credicorp'));
    },
  );
  running.set(id, { controller, ended });
}

function takeNotice({ method, params }: Request, running: Map<Id, { controller: AbortController }>): void {
  const { requestId } = params;
  if (method === 'notifications/cancelled' && isId(requestId)) running.get(requestId)?.controller.abort();
}

interface Request {
  /** Absent from a notification. */
  id?: Id;
  method: string;
  params: Record<string, unknown>;
}

function read(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}

function isRequest(message: unknown): message is Request {
  if (!isRecord(message) || message['jsonrpc'] !== '2.0' || typeof message['method'] !== 'string') return false;
  message['params'] ??= {};
  return isRecord(message['params']) && (message['id'] === undefined || isId(message['id']));
}

/** A response to a request of the server. This server sends none, so it is ignored. */
function isResponse(message: unknown): boolean {
  return isRecord(message) && message['method'] === undefined && ('result' in message || 'error' in message);
}

function isId(id: unknown): id is Id {
  return typeof id === 'string' || (typeof id === 'number' && Number.isFinite(id));
}

function failed(code: number, message: string): Answer {
  return { error: { code, message } };
}
