/** The live secrets that pass through a session, so that they are taken by value out of everything it writes. */
import type { Identity } from '../auth/identity.ts';
import type { Vault } from '../auth/vault.ts';
import { Failure } from '../failure.ts';
import type { Context } from './context.ts';
import { withSpinner } from './output/status-line.ts';

/** Those that the identity holds itself. What rests in a vault becomes known when it is read (`watched`). */
export function secretsOf({ secret, webhookSecret }: Identity): string[] {
  const own = secret.where === 'vault' ? [] : [secret.secret.reveal()];
  return webhookSecret === null ? own : [...own, webhookSecret.secret.reveal()];
}

/**
 * The same vault; `hide` is told what is read from it or written to it, before anybody can use it. What takes long shows, but for the
 * encrypted file, which asks for its passphrase; and it keeps nobody who wants to stop.
 */
export function watched(
  vault: Vault,
  context: Pick<Context, 'stderr' | 'env' | 'signal'>,
  hide: (secret: string) => void,
): Vault {
  const shown = <T>(work: Promise<T>): Promise<T> =>
    vault.kind === 'os' ? withSpinner(context, 'waiting for the keychain', unlessStopped(work, context.signal)) : work;
  // A token rests as a document; its token is told by whoever reads the document.
  const tell = (value: string): void => {
    if (!value.startsWith('{')) hide(value);
  };
  return {
    kind: vault.kind,
    prefetch: (accounts) => vault.prefetch(accounts),
    get: async (account, options) => {
      const value = await shown(vault.get(account, options));
      if (value !== null) tell(value);
      return value;
    },
    set: (account, secret) => {
      tell(secret);
      return shown(vault.set(account, secret));
    },
    remove: (account) => shown(vault.remove(account)),
    removeUnder: (prefix) => shown(vault.removeUnder(prefix)),
  };
}

/** What begins after the stop is tidying up, and is done. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(new Failure('interrupted', 'stopped while the keychain was asked'));
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', stop));
}
