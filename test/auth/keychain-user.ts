/** A program that uses the keychain as a command does, and ends when nothing is left to do. Started by the keyring tests. */

import { osVault } from '../../src/lib/auth/os-vault.ts';
import { Failure } from '../../src/lib/failure.ts';

const [act, ...args] = process.argv.slice(2);
const helper =
  process.env['KEYCHAIN_HELPER'] ?? new URL('../../src/lib/auth/keychain-helper.ts', import.meta.url).pathname;
const vault = osVault({ command: [process.execPath, helper], env: process.env });

try {
  say({ result: await run() });
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say({ kind: error.kind, message: error.message, facts: error.facts });
}

function say(line: object): void {
  process.stdout.write(JSON.stringify(line));
}

async function run(): Promise<unknown> {
  const [account = '', secret = ''] = args;
  switch (act) {
    case 'get':
      return vault.get(account);
    case 'set':
      return (await vault.set(account, secret)) ?? null;
    case 'remove':
      return vault.remove(account);
    case 'remove-under':
      return vault.removeUnder(account);
    case 'prefetch': {
      vault.prefetch(args);
      return Promise.all(args.map((each) => vault.get(each)));
    }
    case 'prefetch-and-leave':
      vault.prefetch(args);
      return 'left';
    default:
      throw new Error(`no such act: ${act}`);
  }
}
