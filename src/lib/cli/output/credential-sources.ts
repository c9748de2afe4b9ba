/** Where values came from and where secrets live, in words for people. */
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
      return `file ${vaultPath('local', folder)}: it opens nothing but the embedded sandbox`;
    case 'memory':
      return 'memory: it ends with the command';
  }
}

export function secretWords({ secret }: Identity, folder: string): string {
  if (secret.where === 'variable') return `environment variable ${secret.name}`;
  if (secret.where === 'built_in') return "built in: the embedded sandbox's own, known to everybody";
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
