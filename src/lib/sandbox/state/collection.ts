/** Records of one kind, in order of creation, by id and by project. */
import type { ProjectName } from '../http/call.ts';
import type { Kept } from './objects.ts';

export class Collection<T extends Kept<{ id: string }>> {
  #byId = new Map<string, T>();
  readonly #byProject = new Map<ProjectName, T[]>();
  /** Every record of all projects, oldest first. */
  #all: T[] = [];
  #n = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** The number the next record gets. */
  nextNumber(): number {
    return ++this.#n;
  }

  add(record: T): T {
    this.#byId.set(record.resource.id, record);
    if (record.n > this.#n) this.#n = record.n;
    const own = this.#byProject.get(record.project);
    if (own) own.push(record);
    else this.#byProject.set(record.project, [record]);
    this.#all.push(record);
    return record;
  }

  /** A record of any project. */
  get(id: string): T | undefined {
    return this.#byId.get(id);
  }

  /** A record of one project; one of another project is hidden (sandbox.md#start-up). */
  of(project: ProjectName, id: string): T | undefined {
    const record = this.#byId.get(id);
    return record?.project === project ? record : undefined;
  }

  has = (id: string): boolean => this.#byId.has(id);

  /** Oldest first. */
  list(project: ProjectName): readonly T[] {
    return this.#byProject.get(project) ?? [];
  }

  all(): readonly T[] {
    return this.#all;
  }

  remove(record: T): void {
    if (!this.#byId.delete(record.resource.id)) return;
    drop(this.#all, record);
    drop(this.#byProject.get(record.project) ?? [], record);
  }

  /** Removes, except among the newest `keep`, the records that may be removed; returns them. */
  removeOldest(keep: number, mayGo: (record: T) => boolean): T[] {
    const going = new Set(this.#all.slice(0, Math.max(0, this.#all.length - keep)).filter(mayGo));
    if (going.size === 0) return [];
    const stays = (record: T): boolean => !going.has(record);
    this.#all = this.#all.filter(stays);
    for (const [project, own] of this.#byProject) this.#byProject.set(project, own.filter(stays));
    this.#byId = new Map(this.#all.map((record) => [record.resource.id, record]));
    return [...going];
  }

  clear(): void {
    this.#byId.clear();
    this.#byProject.clear();
    this.#all.length = 0;
    this.#n = 0;
  }
}

function drop<T extends { n: number }>(list: T[], record: T): void {
  const at = positionAfter(list, record.n) - 1;
  if (list[at] === record) list.splice(at, 1);
}

/** How many records of an ascending list have a number up to `n`. */
export function positionAfter(list: readonly { n: number }[], n: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.n ?? Infinity) <= n) low = middle + 1;
    else high = middle;
  }
  return low;
}
