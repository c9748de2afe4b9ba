/** The commands as tools of an agent: which are offered, what each looks like, and how a call runs the command. */
import { isRecord } from '../../contract/json.ts';
import type { Context } from '../context.ts';
import { CapturedOutput, runInProcess } from '../in-process-run.ts';

/** A command as oclif's manifest describes it. */
export interface CommandEntry {
  id: string;
  summary?: string | undefined;
  description?: string | undefined;
  args: Readonly<Record<string, ArgEntry>>;
  flags: Readonly<Record<string, FlagEntry>>;
}

interface ArgEntry {
  name: string;
  description?: string | undefined;
  required?: boolean | undefined;
  multiple?: boolean | undefined;
  options?: readonly string[] | undefined;
}

interface FlagEntry extends Omit<ArgEntry, 'description'> {
  type: 'boolean' | 'option';
  summary?: string | undefined;
  helpGroup?: string | undefined;
  hidden?: boolean | undefined;
}

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

/** What a tool does to the world: `reads` nothing changes, `adds` something new, `ends` something that cannot be had back. */
type Effect = 'reads' | 'adds' | 'ends';

/**
 * A closed list: what prints a secret, runs a program, opens a port, reads a file of the user's or sends to a place an agent names is not
 * on it.
 */
const OFFERED: Readonly<Record<string, Effect>> = {
  'accounts:get': 'reads',
  'accounts:list': 'reads',
  'apps:create': 'adds',
  'apps:get': 'reads',
  'apps:list': 'reads',
  'apps:submit': 'adds',
  'apps:withdraw': 'ends',
  'decisions:get': 'reads',
  'decisions:refresh': 'adds',
  doctor: 'reads',
  'errors:explain': 'reads',
  'events:list': 'reads',
  'events:show': 'reads',
  'identity:check': 'adds',
  'identity:get': 'reads',
  'logs:show': 'reads',
  'logs:stats': 'reads',
  'logs:tail': 'reads',
  'payments:create': 'adds',
  'payments:get': 'reads',
  'payments:link': 'adds',
  'payments:links:get': 'reads',
  'payments:list': 'reads',
  'sandbox:clock': 'reads',
  'sandbox:clock:advance': 'ends',
  'sandbox:companies': 'reads',
  'sandbox:faults:add': 'adds',
  'sandbox:faults:clear': 'adds',
  'sandbox:faults:list': 'reads',
  'sandbox:status': 'reads',
  status: 'reads',
  'support:report': 'reads',
  'webhooks:endpoints:get': 'reads',
  'webhooks:endpoints:list': 'reads',
  'webhooks:expect': 'reads',
  'webhooks:trigger': 'adds',
  whoami: 'reads',
};

/** Flags that are for a person or a script, name a file, a host or a secret; and `--yes`, which is the user's to give. */
const WITHHELD = new Set([
  ...['yes', 'all', 'open', 'qr', 'curl', 'har', 'copy', 'exit-status', 'no-follow', 'unordered', 'concurrency'],
  ...['from', 'rejects', 'output', 'forward', 'allow-remote', 'secret-stdin', 'secret-file'],
]);

/** A tool answers once. */
const ALWAYS: Readonly<Record<string, readonly string[]>> = { 'logs:tail': ['--no-follow'] };

/** @param commands all commands of the program */
export function toolsOf(commands: readonly CommandEntry[]): Map<string, { tool: Tool; command: CommandEntry }> {
  const offered = commands.filter(({ id }) => Object.hasOwn(OFFERED, id));
  return new Map(offered.map((command) => [nameOf(command.id), { tool: toolOf(command), command }]));
}

/** The words of a command line for a call. @returns what is wrong with it instead, as text */
export function argvOf(command: CommandEntry, given: Readonly<Record<string, unknown>>): string[] | string {
  const flags: string[] = [];
  const words: string[] = [];
  const known = [...Object.keys(command.args), ...offeredFlags(command).map(({ name }) => name)];
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) return `there is no argument ${name.slice(0, 60)}; there are: ${known.join(', ')}`;
    if (!isPlain(value)) return `${name} must be a text, a number, true or false, or a list of texts`;
  }
  for (const { name, type } of offeredFlags(command)) {
    if (type === 'boolean') flags.push(...(given[name] === true || given[name] === 'true' ? [`--${name}`] : []));
    else flags.push(...textsOf(given[name]).map((text) => `--${name}=${text}`));
  }
  for (const name of Object.keys(command.args)) words.push(...textsOf(given[name]));
  const always = ['--json', '--no-input', ...(ALWAYS[command.id] ?? [])];
  return [...command.id.split(':'), ...always, ...flags, ...(words.length === 0 ? [] : ['--', ...words])];
}

function toolOf(command: CommandEntry): Tool {
  const effect = OFFERED[command.id];
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
    annotations: { readOnlyHint: effect === 'reads', destructiveHint: effect === 'ends', openWorldHint: true },
  };
}

function schemaOf({ type, summary = '', multiple, options }: FlagEntry): Schema {
  if (type === 'boolean') return { type, description: summary };
  if (multiple === true) return { type: 'array', items: { type: 'string' }, description: summary };
  return { type: 'string', description: summary, ...(options === undefined ? {} : { enum: options }) };
}

/** The flags of the command itself: whose profile and which host is settled when the server starts. */
function offeredFlags(command: CommandEntry): FlagEntry[] {
  return Object.values(command.flags).filter(
    ({ name, helpGroup, hidden }) => helpGroup !== 'GLOBAL' && hidden !== true && !WITHHELD.has(name),
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

/** null and what is not there mean "not given". */
function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => one !== undefined && one !== null).map(String);
}

/** A larger result helps no agent. Characters. */
const LARGEST_RESULT = 1024 * 1024;
const CALL_TIMEOUT_MS = 5 * 60_000;

/** Runs the command for a tool call; its document is the result. @param signal stops the command */
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
  if (tooLarge) return toolResult(true, 'the answer is larger than 1 MiB: ask for less, with limit or a filter');
  if (status !== 0) return toolResult(true, stderr.text.trim());
  return { ...toolResult(false, stdout.text.trim(), stderr.text.trim()), ...structured(stdout.text) };
}

function toolResult(isError: boolean, ...texts: string[]): ToolResult {
  const content = texts.filter((text) => text !== '').map((text) => ({ type: 'text' as const, text }));
  return { content, isError };
}

/** Only objects may be structured (MCP: CallToolResult). */
function structured(text: string): Pick<ToolResult, 'structuredContent'> {
  try {
    const document: unknown = JSON.parse(text);
    return isRecord(document) ? { structuredContent: document } : {};
  } catch {
    return {};
  }
}
