/**
 * The keychain helper: a separate process for the keychain requests of one command. A keyring that never answers blocks a thread of the
 * process for ever, and not even `process.exit` ends it then. So only this process loads the keychain library, and it can be killed.
 */
import { createRequire } from 'node:module';
import type { KeychainOperation, KeychainReply, KeychainRequest, KeychainResult } from './keychain.ts';
import { secretServiceState } from './linux/secret-service.ts';

/** Milliseconds after which a helper ends itself. Longer than any caller waits, so it matters only when the caller died without killing it. */
const OLDEST_MS = 15_000;

type Keytar = typeof import('keytar');

main();

function main(): void {
  const end = setTimeout(die, OLDEST_MS);
  process.stdout.on('error', die);
  // Without a listener Node opens its debugger to every user of this machine.
  process.on('SIGUSR1', () => undefined);
  // Loaded before the first request arrives, while the caller is still starting.
  const keytar = loadKeytar();
  let text = '';
  process.stdin.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    // One request at a time: the caller sends the next after this answer.
    const at = text.indexOf('\n');
    if (at < 0) return;
    const line = text.slice(0, at);
    text = text.slice(at + 1);
    end.refresh();
    process.stdout.write('\n');
    void serve(line, keytar).then((reply) => process.stdout.write(`${JSON.stringify(reply)}\n`));
  });
  // The caller has ended, so no answer is needed.
  process.stdin.once('close', die);
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

async function serve(line: string, keytar: Keytar | null): Promise<KeychainReply> {
  try {
    // The request comes from our own program.
    const request = JSON.parse(line) as KeychainRequest;
    const trouble = await findTrouble();
    if (trouble !== null) return trouble;
    if (keytar === null) return { trouble: 'no_library', detail: '' };
    const results: KeychainResult[] = [];
    for (const operation of request.operations) results.push(await perform(keytar, request.service, operation));
    return { results };
  } catch (error) {
    // The parser's message would quote the request, which contains the secret.
    if (error instanceof SyntaxError) return { trouble: 'failed', detail: 'its helper could not read the request' };
    return explain(error instanceof Error ? error.message : String(error));
  }
}

async function findTrouble(): Promise<KeychainReply | null> {
  if (process.platform === 'darwin' || process.platform === 'win32') return null;
  const state = await secretServiceState(process.env, process.getuid?.() ?? 0);
  return state === 'open' || state === 'unknown' ? null : { trouble: state, detail: '' };
}

function loadKeytar(): Keytar | null {
  try {
    return createRequire(import.meta.url)('keytar') as Keytar;
  } catch {
    return null;
  }
}

async function perform(keytar: Keytar, service: string, operation: KeychainOperation): Promise<KeychainResult> {
  switch (operation.do) {
    case 'get':
      return keytar.getPassword(service, operation.account);
    case 'set':
      await keytar.setPassword(service, operation.account, operation.secret);
      return true;
    case 'remove':
      return keytar.deletePassword(service, operation.account);
    case 'remove_under': {
      const stored = await keytar.findCredentials(service);
      const under = stored.filter(({ account }) => account.startsWith(operation.prefix));
      for (const { account } of under) await keytar.deletePassword(service, account);
      return under.length;
    }
  }
}

/** Recognises a locked keychain by the platform's message: libsecret; macOS errSecInteractionNotAllowed, errSecAuthFailed. */
function explain(message: string): KeychainReply {
  if (/locked|interaction is not allowed|-25308|-25293/i.test(message)) return { trouble: 'locked', detail: message };
  if (/autolaunch D-Bus|Could not connect|No such file or directory/i.test(message)) {
    return { trouble: 'no_bus', detail: message };
  }
  if (/ServiceUnknown|not provided by any \.service/i.test(message)) return { trouble: 'no_service', detail: message };
  return { trouble: 'failed', detail: message };
}
