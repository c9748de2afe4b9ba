/** One line of `doctor`: what was looked at, how it stands, and the cure. */
import { Failure } from '../../failure.ts';

/** `warning`: works, but something is worth knowing. `skipped`: nothing to look at here. */
export type CheckState = 'ok' | 'warning' | 'broken' | 'skipped';

export interface Check {
  name: string;
  state: CheckState;
  detail: string;
  /** What to do; null where nothing is to be done. */
  next: string | null;
}

export const ok = (name: string, detail: string): Check => ({ name, state: 'ok', detail, next: null });
export const skipped = (name: string, detail: string): Check => ({ name, state: 'skipped', detail, next: null });
export const warning = (name: string, detail: string, next: string): Check => ({
  name,
  state: 'warning',
  detail,
  next,
});
export const broken = (name: string, detail: string, next: string): Check => ({ name, state: 'broken', detail, next });

/** Looks, and turns what goes wrong into a line. Whatever nobody threw on purpose is a bug and goes on. */
export async function looked(name: string, look: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof Failure) || error.kind === 'interrupted') throw error;
    return broken(name, error.message, error.facts.next ?? 'run the command again with --debug');
  }
}
