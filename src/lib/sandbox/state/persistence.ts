/** Where changes are noted so that they outlive the process (sandbox.md#persistence). Without a data file nothing is noted. */

export interface Persistence {
  /** Notes the present value of a record; it is read when the note is written out. */
  put(kind: string, key: string, value: object): void;
  remove(kind: string, key: string): void;
  /** Writes out what was noted, before an answer leaves. */
  flush(): void;
  /** Drops everything, on reset. */
  clear(): void;
  close(): void;
}

export const noPersistence: Persistence = {
  put: () => {},
  remove: () => {},
  flush: () => {},
  clear: () => {},
  close: () => {},
};
