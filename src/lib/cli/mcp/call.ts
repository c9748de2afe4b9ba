/** One call of a tool: the real command, run by the real frame, its document as the result. */
import { isRecord } from '../../contract/json.ts';
import type { Context } from '../context.ts';
import { innerContext, Memory } from '../inner.ts';
import { run } from '../program.ts';
import type { ToolResult } from './server.ts';

/** A result larger than this helps no agent. Characters. */
const LARGEST = 1024 * 1024;
const LONGEST_MS = 5 * 60_000;

/** @param signal stops the command */
export async function callCommand(argv: readonly string[], outer: Context, signal: AbortSignal): Promise<ToolResult> {
  let tooLarge = false;
  const stdout = new Memory((memory) => {
    if (memory.text.length <= LARGEST) return;
    tooLarge = true;
    memory.text = '';
    interrupt('reader_gone');
  });
  const stderr = new Memory();
  const { context, interrupt, detach } = innerContext(outer, { stdout, stderr });
  const stop = (): void => interrupt('SIGTERM');
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
  limit.addEventListener('abort', stop, { once: true });
  const status = await run(argv, context).finally(() => {
    detach();
    limit.removeEventListener('abort', stop);
  });
  if (tooLarge) return said(true, 'the answer is larger than 1 MiB: ask for less, with limit or a filter');
  if (status !== 0) return said(true, stderr.text.trim());
  return { ...said(false, stdout.text.trim(), stderr.text.trim()), ...structured(stdout.text) };
}

function said(isError: boolean, ...texts: string[]): ToolResult {
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
