/** A program that uses the keychain as a command does, and ends when nothing is left to do. Started by the keyring tests. */
import { setTimeout as pause } from 'node:timers/promises';
import { osVault } from '../../src/lib/auth/vaults/os-vault.ts';
import { Failure } from '../../src/lib/failure.ts';

const [act, ...args] = process.argv.slice(2);
const helper = new URL('../../src/lib/auth/keychain/keychain-helper.ts', import.meta.url).pathname;
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
    case 'prefetch': {
      vault.prefetch(args);
      return Promise.all(args.map((each) => vault.get(each)));
    }
    case 'prefetch-and-leave':
      vault.prefetch(args);
      // Long enough for the helper to run and to wait for its keyring.
      await pause(500);
      return 'left';
    default:
      throw new Error(`no such act: ${act}`);
  }
}
