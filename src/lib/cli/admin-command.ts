/** Base for commands about the embedded sandbox itself: its admin routes, which take no credential and answer this machine only. */
import type { Command } from '@oclif/core/command';
import { isLoopback, parseBase } from '../contract/environments.ts';
import { Failure, usage } from '../failure.ts';
import { BaseCommand } from './command.ts';
import type { Context } from './context.ts';
import { optionalIdentity } from './optional-identity.ts';
import { withSpinner } from './output/status-line.ts';
import type { Session } from './session.ts';
import { runningSandbox } from './sandbox/running-sandbox.ts';

export interface AdminCall {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below `/_sandbox`, query included. */
  path: string;
  body?: unknown;
}

export abstract class SandboxCommand<T extends typeof Command> extends BaseCommand<T> {
  /** One call to the admin routes. @returns the document of the answer. @throws Failure */
  protected async ask(call: AdminCall): Promise<unknown> {
    const session = await this.session();
    const base = await embeddedBase(this.context, session, this.sessionFlags.base);
    return withSpinner(this.context, 'waiting for the sandbox', askSandbox(this.context, session, base, call));
  }
}

/**
 * Where the embedded sandbox is: `--api-base`, else the one that runs, else the base of a local profile.
 * @throws Failure `usage` for a host off this machine, `unavailable` when there is none.
 */
async function embeddedBase(context: Context, session: Session, given?: string): Promise<string> {
  const base =
    given === undefined ? ((await runningSandbox(context))?.base_url ?? localBase(session)) : parseBase(given);
  if (base === null) {
    throw new Failure('unavailable', 'no sandbox is running', {
      code: 'no_sandbox',
      next: 'start one: credicorp sandbox start --background',
    });
  }
  if (isLoopback(new URL(base).hostname)) return base;
  throw usage('this command is for the embedded sandbox, which runs on this machine only', {
    code: 'not_embedded',
    param: '--api-base',
    next: 'start one: credicorp sandbox start --background',
  });
}

function localBase(session: Session): string | null {
  const identity = optionalIdentity(session);
  return identity?.environment.value === 'local' ? identity.base.value : null;
}

/** One call to an admin route. @throws Failure */
export async function askSandbox(context: Context, session: Session, base: string, call: AdminCall): Promise<unknown> {
  const [{ parseAnswer }, transport] = await Promise.all([import('../api/answers.ts'), session.transport()]);
  const path = `/_sandbox${call.path}`;
  const content =
    call.body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(call.body) };
  const answer = await transport.send({
    method: call.method,
    url: base + path,
    headers: {},
    ...content,
    signal: context.signal,
  });
  return parseAnswer(answer, { method: call.method, path, now: context.now() }).json;
}
