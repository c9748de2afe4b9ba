/** Runs a listener with `--ready-file` and `--exec`, and keeps the secrets that explain a refused signature current. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ClosedEvent, ListenerEvent } from '../../contract/listener-events.ts';
import { replaceFile } from '../../files/private-files.ts';
import type { Context } from '../context.ts';
import { type SideCommand, startSideCommand } from '../system/user-commands.ts';
import type { ListenerSetup } from './listener-options.ts';

export interface RunOptions {
  /** The `ready` event is written to this file. */
  readyFile: string | undefined;
  /** Command to start when ready. */
  exec: string | undefined;
  /** Called with the exit status of `exec`; the listener ends as well. */
  ended: (status: number) => void;
  /** Takes the final counts as one line, where the listener's lines are not shown; null otherwise. */
  noteCounts: ((line: string) => void) | null;
}

export async function* runListener(
  context: Context,
  prepared: ListenerSetup,
  runOptions: RunOptions,
): AsyncGenerator<ListenerEvent> {
  const { listen } = await import('../../webhooks/listen/listen.ts');
  const again = (): Promise<void> => prepared.refresh().catch(() => undefined);
  const readyFile = runOptions.readyFile === undefined ? null : resolve(context.cwd, runOptions.readyFile);
  const unfollow = prepared.followRotation();
  let beside: SideCommand | null = null;
  // A file left by an earlier listener would mean ready too soon.
  if (readyFile !== null) await rm(readyFile, { force: true });
  try {
    for await (const event of listen(prepared.options)) {
      if (event.type === 'ready') {
        if (readyFile !== null) replaceFile(readyFile, `${JSON.stringify(event)}\n`, 0o600);
        // These secrets only explain mismatches: a slow keychain must not delay the listener.
        await Promise.race([again(), pause(500)]);
      }
      // Another endpoint may have been made since.
      if (event.type === 'rejected' && SECRET_CAUSES.has(event.cause)) void again();
      yield event;
      if (event.type === 'closed') runOptions.noteCounts?.(countsLine(event));
      // An endpoint that was lost and registered again is ready once more.
      if (event.type === 'ready') beside ??= startBeside(context, prepared, runOptions);
    }
  } finally {
    unfollow();
    await beside?.stop();
  }
}

function countsLine({ received, forwarded, rejected, duplicates, failed, parked, waiting }: ClosedEvent): string {
  return `${received} received, ${forwarded} forwarded, ${rejected} rejected, ${duplicates} duplicates, ${failed} failed, ${parked > 0 ? `${parked} parked, ` : ''}${waiting} waiting`;
}

/** Starts the user's command with the secret in its environment; when it ends, the listener ends. */
function startBeside(
  context: Context,
  { secrets, signing }: ListenerSetup,
  { exec, ended }: RunOptions,
): SideCommand | null {
  if (exec === undefined) return null;
  const secret = signing?.current ?? secrets.own ?? '';
  const beside = startSideCommand(context, exec, { CC_WEBHOOK_SECRET: secret });
  void beside.ended.then(ended);
  return beside;
}

const SECRET_CAUSES = new Set(['wrong_secret', 'secret_other_endpoint', 'secret_other_environment']);
