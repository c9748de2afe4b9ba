/** Text for people: which source a value came from, and where a secret is stored. */
import type { Identity, Source, VaultKind } from '../../auth/credentials/client-identity.ts';
import { vaultPath } from '../../auth/vaults/open-vault.ts';

/** @param folder configuration folder */
export function vaultWords(kind: VaultKind, folder: string): string {
  switch (kind) {
    case 'os':
      return 'the keychain of this system, under credicorp-cli';
    case 'file':
      return `encrypted file ${vaultPath('file', folder)}`;
    case 'local':
      return `file ${vaultPath('local', folder)}, only for the embedded sandbox`;
    case 'memory':
      return 'memory, until the command ends';
  }
}

export function secretWords({ secret }: Identity, folder: string): string {
  if (secret.where === 'variable') return `environment variable ${secret.name}`;
  if (secret.where === 'built_in') return 'built in: the public secret of the embedded sandbox';
  return vaultWords(secret.store, folder);
}

export function sourceWords(source: Source): string {
  switch (source.from) {
    case 'flag':
      return `flag ${source.name}`;
    case 'variable':
      return `environment variable ${source.name}`;
    case 'pin':
      return `directory pin ${source.name}`;
    case 'profile':
      return `profile ${source.name}`;
    case 'sandbox':
      return 'the running sandbox';
    case 'default':
      return 'default';
  }
}
