/** The results that commands return; output/write.ts writes each as text, JSON, a field or ids. */

/** A column of a list: a dotted path into the item, and its title on a terminal. */
export interface Column {
  path: string;
  title?: string;
}

export type Result =
  | { kind: 'object'; document: unknown; id: string | null; human?: string; pence?: readonly string[] }
  | { kind: 'page'; document: unknown; items: readonly unknown[]; columns: readonly Column[]; empty: string }
  | {
      kind: 'stream';
      /** One item each; where `paged`, lists of items that are written together. */
      items: AsyncIterable<unknown>;
      paged: boolean;
      columns: readonly Column[];
      line?: (item: unknown) => string;
      id: (item: unknown) => string | null;
    }
  | { kind: 'text'; text: string; document: unknown }
  | { kind: 'nothing' };

export interface ObjectView {
  id?: string | null;
  /** Replaces the aligned fields on a terminal where a sentence says it better. */
  human?: string;
  /** Members known to be pence although their names do not say so: a terminal shows the unit and the pounds beside the number. */
  pence?: readonly string[];
}

/** One object. */
export function object(document: unknown, { id, human, pence }: ObjectView = {}): Result {
  return {
    kind: 'object',
    document,
    id: id ?? idOf(document),
    ...(human ? { human } : {}),
    ...(pence ? { pence } : {}),
  };
}

/** One page of a list, with the page object as its document. */
export function page(document: { data: readonly unknown[] }, columns: readonly Column[], empty: string): Result {
  return { kind: 'page', document, items: document.data, columns, empty };
}

/** Items as they arrive. `line` replaces the tab-separated row on a terminal, `id` is what `--quiet` prints instead of the `id` member. */
export function stream(
  items: AsyncIterable<unknown>,
  columns: readonly Column[],
  line?: (item: unknown) => string,
  id: (item: unknown) => string | null = idOf,
): Result {
  return { kind: 'stream', items, paged: false, columns, id, ...(line ? { line } : {}) };
}

/** All pages of a list, item by item; a page at a time is held and written. */
export function streamOfPages(pages: AsyncIterable<readonly unknown[]>, columns: readonly Column[]): Result {
  return { kind: 'stream', items: pages, paged: true, columns, id: idOf };
}

/** A bare value such as an access token: the text itself, `document` under `--json`. */
export function text(value: string, document: unknown): Result {
  return { kind: 'text', text: value, document };
}

/** For a command that prints nothing on stdout. */
export const nothing: Result = { kind: 'nothing' };

/** The `id` member, if the document has one. */
export function idOf(document: unknown): string | null {
  if (typeof document !== 'object' || document === null) return null;
  const id: unknown = Reflect.get(document, 'id');
  return typeof id === 'string' ? id : null;
}
