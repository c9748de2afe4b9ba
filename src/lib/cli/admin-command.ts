/** Base for commands about the embedded sandbox itself: its admin routes, which take no credential and answer this machine only. */
import type { Command } from '@oclif/core/command';
import { isLoopback, parseBase } from '../contract/environments.ts';
import type { HttpRequest } from '../contract/exchange.ts';
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
  /** For an act that must not be done twice. */
  idempotencyKey?: string;
}

export abstract class SandboxCommand<T extends typeof Command> extends BaseCommand<T> {
  /** One call to the admin routes. @returns the document of the answer. @throws Failure */
  protected async ask(call: AdminCall): Promise<unknown> {
    const session = await this.session();
    const base = await embeddedBase(this.context, session, this.sessionFlags.base);
    return withSpinner(this.context, 'waiting for the sandbox', askSandbox(this.context, session, base, call));
  }

  /** The same for an act that must not be done twice: repeated after a try that may have happened, it has the same idempotency key. */
  protected async askOnce(call: AdminCall): Promise<unknown> {
    const session = await this.session();
    const base = await embeddedBase(this.context, session, this.sessionFlags.base);
    const { findUnfinished, forgetUnfinished, keepUnfinished } = await import('./requests/unfinished-writes.ts');
    const writes = { folder: this.unfinishedWrites, scope: 'sandbox', now: this.context.now, volatile: [] };
    const last = findUnfinished(writes, adminRequest(base, call));
    if (last !== null) this.note('note: the last try of this may have happened; it is not done twice');
    const keyed = { ...call, idempotencyKey: last?.key ?? this.context.uuid() };
    try {
      const asked = askSandbox(this.context, session, base, keyed);
      const document = await withSpinner(this.context, 'waiting for the sandbox', asked);
      forgetUnfinished(writes, adminRequest(base, call));
      return document;
    } catch (error) {
      if (error instanceof Failure && (error.facts.sent || (error.facts.status ?? 400) >= 500)) {
        error.facts.mayHaveHappened = true;
        error.facts.idempotencyKey = keyed.idempotencyKey;
        if (keepUnfinished(writes, adminRequest(base, keyed)))
          error.facts.next = 'it may have happened: the same command again waits for it, and it is not done twice';
      }
      throw error;
    }
  }
}

function adminRequest(base: string, { method, path, body, idempotencyKey }: AdminCall): HttpRequest {
  const headers: Record<string, string> = {};
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  const request = { method, url: `${base}/_sandbox${path}`, headers };
  if (body === undefined) return request;
  headers['content-type'] = 'application/json';
  return { ...request, body: JSON.stringify(body) };
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
  const answer = await transport.send({ ...adminRequest(base, call), signal: context.signal });
  return parseAnswer(answer, { method: call.method, path: `/_sandbox${call.path}`, now: context.now() }).json;
}
