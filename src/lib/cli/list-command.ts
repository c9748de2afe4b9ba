/** Base of the list commands: one page, or all pages item by item. */
import type { Command } from '@oclif/core/command';
import * as Flags from '@oclif/core/flags';
import type { ListName } from '../api/endpoints.ts';
import type { Operation } from '../api/client.ts';
import { ApiCommand } from './api-command.ts';
import { count, notForAgents } from './flags.ts';
import { startSpinner } from './output/status-line.ts';
import { type Column, page, type Result, streamOfPages } from './result.ts';
import { plainLine } from './output/terminal-text.ts';

export const listFlags = {
  limit: count({ helpGroup: 'PAGES', summary: 'items per page, 1 to 100 [default: 25]', min: 1, max: 100 }),
  cursor: Flags.string({ helpGroup: 'PAGES', helpValue: '<cursor>', summary: 'continue from a saved next_cursor' }),
  all: notForAgents(Flags.boolean({ helpGroup: 'PAGES', summary: 'all pages, one item per line as it arrives' })),
};

export abstract class ListCommand<T extends typeof Command> extends ApiCommand<T> {
  protected async list(
    name: ListName,
    query: NonNullable<Operation['query']>,
    columns: readonly Column[],
    empty: string,
  ): Promise<Result> {
    const flags = this.flags as { limit?: number; cursor?: string; all?: boolean };
    const from = flags.cursor === undefined ? {} : { cursor: flags.cursor };
    if (flags.all === true)
      return streamOfPages(this.pages(name, { query, limit: flags.limit ?? 100, ...from }), columns);
    const answer = await this.call(name, { query: { ...query, limit: flags.limit, ...from } });
    const { has_more: more, next_cursor: next } = answer.data;
    if (this.context.stderr.isTTY === true && more === true && next)
      this.note(`there are more items: use --all for all of them, or --cursor ${plainLine(next)} for the next page`);
    return page(documentOf(answer.json), columns, empty);
  }

  /** All pages; only one is held at a time. */
  private async *pages(
    name: ListName,
    walk: { query: NonNullable<Operation['query']>; limit: number; cursor?: string },
  ): AsyncGenerator<readonly unknown[]> {
    const [client, { pages }] = await Promise.all([this.client(), import('../api/pages.ts')]);
    const spinner = startSpinner(this.context, 'reading the list');
    let count = 0;
    try {
      for await (const answer of pages(client, name, { ...walk, signal: this.context.signal })) {
        const { data } = documentOf(answer.json);
        count += data.length;
        spinner.setLabel(`reading the list: ${count}`);
        yield data;
      }
    } finally {
      spinner.stop();
    }
  }
}

/** The page object as the server sent it; a bare array or object in its place counts as a page (partner-api.md#decisions). */
function documentOf(json: unknown): { data: readonly unknown[] } {
  if (Array.isArray(json)) return { data: json };
  if (typeof json === 'object' && json !== null && 'data' in json && Array.isArray(json.data))
    return json as { data: unknown[] };
  if (typeof json === 'object' && json !== null) return { data: [json] };
  return { data: [] };
}
