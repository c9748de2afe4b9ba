/**
 * The keychain helper: a program of its own, started for the requests of one command. A keyring that never answers keeps a thread of the process
 * busy for ever, and not even `process.exit` ends it then; so this process is made to be killed, and the one that matters never
 * loads the keychain library.
 */
import { createRequire } from 'node:module';
import type { KeychainOperation, KeychainReply, KeychainRequest, KeychainResult } from './keychain.ts';
import { secretServiceState } from './linux/secret-service.ts';

/** Longer than any caller waits for an answer, or for the next request: only a helper whose caller cannot kill it any more gets this old. */
const OLDEST_MS = 15_000;

type Keytar = typeof import('keytar');

main();

function main(): void {
  const end = setTimeout(die, OLDEST_MS);
  process.stdout.on('error', die);
  // Loaded before it is asked for: the caller is busy with itself meanwhile.
  const keytar = loadKeytar();
  let text = '';
  process.stdin.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    // One request at a time: the next is sent when this is answered.
    const at = text.indexOf('\n');
    if (at < 0) return;
    const line = text.slice(0, at);
    text = text.slice(at + 1);
    end.refresh();
    process.stdout.write('\n');
    void serve(line, keytar).then((reply) => process.stdout.write(`${JSON.stringify(reply)}\n`));
  });
  // The caller is gone: nobody waits for an answer.
  process.stdin.once('close', die);
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

async function serve(line: string, keytar: Keytar | null): Promise<KeychainReply> {
  try {
    // The other end of this pipe is our own program.
    const request = JSON.parse(line) as KeychainRequest;
    const trouble = await findTrouble();
    if (trouble !== null) return trouble;
    if (keytar === null) return { trouble: 'no_library', detail: '' };
    const results: KeychainResult[] = [];
    for (const operation of request.operations) results.push(await perform(keytar, request.service, operation));
    return { results };
  } catch (error) {
    // A parser's message quotes the request, and with it the secret.
    if (error instanceof SyntaxError) return { trouble: 'failed', detail: 'its helper did not understand the request' };
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

/** Locked keychains by their platform's words: libsecret; macOS errSecInteractionNotAllowed, errSecAuthFailed. */
function explain(message: string): KeychainReply {
  if (/locked|interaction is not allowed|-25308|-25293/i.test(message)) return { trouble: 'locked', detail: message };
  if (/autolaunch D-Bus|Could not connect|No such file or directory/i.test(message)) {
    return { trouble: 'no_bus', detail: message };
  }
  if (/ServiceUnknown|not provided by any \.service/i.test(message)) return { trouble: 'no_service', detail: message };
  return { trouble: 'failed', detail: message };
}
