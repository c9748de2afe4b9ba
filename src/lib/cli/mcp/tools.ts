/** The commands as MCP tools: which are offered, their schemas, and how a tool call runs the command. */
import { isRecord } from '../../contract/json.ts';
import type { Context } from '../context.ts';
import { CapturedOutput, runInProcess } from '../in-process-run.ts';
import type { CommandEntry, FlagEntry } from '../manifest.ts';

/** MCP 2025-11-25, server/tools: Tool. */
export interface Tool {
  name: string;
  description: string;
  inputSchema: {
    type: 'object';
    properties: Record<string, Schema>;
    required: string[];
    additionalProperties: false;
  };
  annotations: { readOnlyHint: boolean; destructiveHint: boolean; openWorldHint: boolean };
}

/** MCP: CallToolResult. */
export interface ToolResult {
  content: { type: 'text'; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError: boolean;
}

type Schema =
  | { type: 'boolean'; description: string }
  | { type: 'string'; description: string; enum?: readonly string[] }
  | { type: 'array'; items: { type: 'string' }; description: string };

/**
 * The tools by name. A command is offered when its class sets `agentTool`. Commands that print a secret, run a program, open a port, read a
 * file of the user, or send to an address that the agent chooses must not set it.
 */
export function toolsOf(commands: readonly CommandEntry[]): Map<string, { tool: Tool; command: CommandEntry }> {
  const offered = commands.filter(({ agentTool = null }) => agentTool !== null);
  return new Map(offered.map((command) => [nameOf(command.id), { tool: toolOf(command), command }]));
}

/** Converts the arguments of a tool call to a command line. @returns the argv, or an error message as text */
export function argvOf(command: CommandEntry, given: Readonly<Record<string, unknown>>): string[] | string {
  const flags: string[] = [];
  const words: string[] = [];
  const known = [...Object.keys(command.args), ...offeredFlags(command).map(({ name }) => name)];
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) return `unknown argument ${name.slice(0, 60)}; known arguments: ${known.join(', ')}`;
    if (!isPlain(value)) return `${name} must be a string, a number, a boolean, or a list of strings`;
  }
  for (const { name, type } of offeredFlags(command)) {
    if (type === 'boolean') flags.push(...(given[name] === true || given[name] === 'true' ? [`--${name}`] : []));
    else flags.push(...textsOf(given[name]).map((text) => `--${name}=${text}`));
  }
  for (const name of Object.keys(command.args)) words.push(...textsOf(given[name]));
  const always = ['--json', '--no-input', ...(command.agentFlags ?? [])];
  return [...command.id.split(':'), ...always, ...flags, ...(words.length === 0 ? [] : ['--', ...words])];
}

function toolOf(command: CommandEntry): Tool {
  const args = Object.values(command.args);
  const flags = offeredFlags(command);
  return {
    name: nameOf(command.id),
    description: [command.summary, command.description].filter(Boolean).join('\n'),
    inputSchema: {
      type: 'object',
      properties: Object.fromEntries(
        [...args.map((arg) => ({ ...arg, type: 'option' as const, summary: arg.description })), ...flags].map(
          (entry) => [entry.name, schemaOf(entry)],
        ),
      ),
      required: [...args, ...flags].filter(({ required }) => required === true).map(({ name }) => name),
      additionalProperties: false,
    },
    annotations: {
      readOnlyHint: command.agentTool === 'read',
      destructiveHint: command.agentTool === 'destroy',
      openWorldHint: true,
    },
  };
}

function schemaOf({ type, summary = '', multiple, options }: FlagEntry): Schema {
  if (type === 'boolean') return { type, description: summary };
  if (multiple === true) return { type: 'array', items: { type: 'string' }, description: summary };
  return { type: 'string', description: summary, ...(options === undefined ? {} : { enum: options }) };
}

/** The command's own flags: the global ones (profile, host) are set when the server starts. */
function offeredFlags(command: CommandEntry): FlagEntry[] {
  return Object.values(command.flags).filter(
    ({ helpGroup, hidden, forAgents }) => helpGroup !== 'GLOBAL' && hidden !== true && forAgents !== false,
  );
}

function nameOf(id: string): string {
  return id.replaceAll(':', '_');
}

function isPlain(value: unknown): boolean {
  return Array.isArray(value) ? value.every(isScalar) : isScalar(value);
}

function isScalar(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** A value as command line texts; null and undefined mean "not given". */
function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => one !== undefined && one !== null).map(String);
}

/** Largest result, in characters; an agent cannot use a larger one. */
const LARGEST_RESULT = 1024 * 1024;
const CALL_TIMEOUT_MS = 5 * 60_000;

/** Runs the command for a tool call and returns its JSON document. @param signal stops the command */
export async function callTool(argv: readonly string[], outer: Context, signal: AbortSignal): Promise<ToolResult> {
  let tooLarge = false;
  const stdout = new CapturedOutput((output) => {
    if (output.text.length <= LARGEST_RESULT) return;
    tooLarge = true;
    output.text = '';
    interrupt('reader_gone');
  });
  const stderr = new CapturedOutput();
  const { ended, interrupt } = runInProcess(argv, outer, { stdout, stderr });
  const stop = (): void => interrupt('SIGTERM');
  const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
  limit.addEventListener('abort', stop, { once: true });
  const status = await ended.finally(() => limit.removeEventListener('abort', stop));
  if (tooLarge) return toolResult(true, 'the result is larger than 1 MiB; reduce it with limit or a filter');
  if (status !== 0) return toolResult(true, stderr.text.trim());
  return { ...toolResult(false, stdout.text.trim(), stderr.text.trim()), ...structured(stdout.text) };
}

function toolResult(isError: boolean, ...texts: string[]): ToolResult {
  const content = texts.filter((text) => text !== '').map((text) => ({ type: 'text' as const, text }));
  return { content, isError };
}

/** The result as `structuredContent` when it is an object (MCP: CallToolResult). */
function structured(text: string): Pick<ToolResult, 'structuredContent'> {
  try {
    const document: unknown = JSON.parse(text);
    return isRecord(document) ? { structuredContent: document } : {};
  } catch {
    return {};
  }
}
