/** A listener's moments, and what runs along with them: the ready file, the user's own command, the secrets that explain a refusal. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import { replaceFile } from '../../files/private-files.ts';
import type { Context } from '../context.ts';
import { type SideCommand, startSideCommand } from '../system/user-commands.ts';
import type { Prepared } from './listen-options.ts';

export interface Beneath {
  /** Gets the ready moment. */
  readyFile: string | undefined;
  /** Started when ready. */
  exec: string | undefined;
  /** Told how `exec` ended; the listener shall end then as well. */
  ended: (status: number) => void;
}

export async function* runListener(
  context: Context,
  prepared: Prepared,
  beneath: Beneath,
): AsyncGenerator<ListenerEvent> {
  const { listen } = await import('../../webhooks/listen/listen.ts');
  const again = (): Promise<void> => prepared.refresh().catch(() => undefined);
  const readyFile = beneath.readyFile === undefined ? null : resolve(context.cwd, beneath.readyFile);
  let beside: SideCommand | null = null;
  // One that an earlier listener left would say ready too soon.
  if (readyFile !== null) await rm(readyFile, { force: true });
  try {
    for await (const moment of listen(prepared.options)) {
      if (moment.type === 'ready') {
        if (readyFile !== null) replaceFile(readyFile, `${JSON.stringify(moment)}\n`, 0o600);
        // Other secrets only explain: a slow keychain must not hold the listener up.
        await Promise.race([again(), pause(500)]);
      }
      // Another endpoint may have been made since.
      if (moment.type === 'rejected' && SECRET_CAUSES.has(moment.cause)) void again();
      yield moment;
      // An endpoint that was lost and registered again is ready once more.
      if (moment.type === 'ready') beside ??= startBeside(context, prepared, beneath);
    }
  } finally {
    await beside?.stop();
  }
}

/** The user's own command gets the secret as its app would, and its end is ours. */
function startBeside(context: Context, { secrets, options }: Prepared, { exec, ended }: Beneath): SideCommand | null {
  if (exec === undefined) return null;
  const secret = secrets.own ?? options.secrets?.()[0] ?? '';
  const beside = startSideCommand(context, exec, { CC_WEBHOOK_SECRET: secret });
  void beside.ended.then(ended);
  return beside;
}

const SECRET_CAUSES = new Set(['wrong_secret', 'secret_other_endpoint', 'secret_other_environment']);
