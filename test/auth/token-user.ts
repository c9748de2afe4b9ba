/** A process that needs a token, as each command does. Started many times by the token tests. */
import { resolveIdentity } from '../../src/lib/auth/credentials/resolve-identity.ts';
import { tokenSource } from '../../src/lib/auth/token/access-token.ts';
import { openVault } from '../../src/lib/auth/vaults/open-vault.ts';
import { sources } from './sources.ts';
import { send } from './token-plane.ts';

const [folder = '', base = '', refused] = process.argv.slice(2);
const identity = resolveIdentity(sources({ runningSandbox: { base } }));
const vault = openVault(identity.vault, {
  keychain: { command: ['/nonexistent'], env: {} },
  folder,
  passphrase: async () => '',
});
const source = tokenSource({ identity, vault, send, now: Date.now, lockFolder: folder, notice: () => undefined });
process.stdout.write(await source.get({ refused: refused ?? null }));
