/** The secret of the identity, from wherever it rests. */

import { Failure } from '../failure.ts';
import type { Identity } from './identity.ts';
import type { Vault } from './vault.ts';

/** @throws Failure `auth`: `nothing_stored`, or why the vault could not be opened. */
export async function secretOf(identity: Identity, vault: Vault): Promise<string> {
  const { secret } = identity;
  if (secret.where !== 'vault') return secret.secret.reveal();
  const found = await vault.get(secret.account);
  if (found !== null) return found;
  const profile = identity.profile?.value ?? identity.account;
  const where = { os: 'the keychain', file: 'the encrypted file', local: 'the file of the sandbox', memory: 'memory' };
  throw new Failure('auth', `nothing is stored in ${where[vault.kind]} for profile ${profile}`, {
    code: 'nothing_stored',
    next: `sign in again: credicorp login --profile ${profile}`,
  });
}
