import type { Context } from './context.ts';
export interface Session {
  close(): Promise<void>;
}
export function openSession(_context: Context, _flags: Record<string, unknown>, _version: string): Session {
  return { close: async () => undefined };
}
