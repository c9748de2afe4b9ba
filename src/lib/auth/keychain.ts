/**
 * The OS keychain at arm's length: each request goes to a helper process that is killed when the keychain does not answer in time.
 * Secrets travel over the helper's pipes, never in arguments or environment.
 */

import { redactText } from '../contract/secrets.ts';
import { Failure } from '../failure.ts';
import { type Helper, startHelper } from './keychain-start.ts';
import {
  type KeychainOperation,
  type KeychainReply,
  type KeychainRequest,
  type KeychainResult,
  type KeychainTrouble,
} from './keychain-wire.ts';

export interface KeychainOptions {
  /** How to start the helper: interpreter, its flags, the helper's file. */
  command: readonly [string, ...string[]];
  /** The environment the helper finds its keychain by. Credentials and Node's own options are not passed on. */
  env: Readonly<Record<string, string | undefined>>;
  /** The helper that was started ahead, for the first who asks. */
  started?: () => Helper | null;
  /** How long the helper may take from the request on, its own start included if it was not started ahead, in milliseconds. */
  limitMs?: number;
  service?: string;
}

/** A request under way. It does not keep the program alive until somebody asks for its results. */
export interface KeychainAnswer {
  /** @throws Failure `auth`: `keychain_missing`, `keychain_locked`, `keychain_timeout`, `keychain_failed`. */
  results(): Promise<readonly KeychainResult[]>;
}

/** The name all secrets of this program stand under in the keychain. */
const SERVICE = 'credicorp-cli';
const LIMIT_MS = 3000;

/** Sets a helper to these operations and returns at once. They are done in order; the first that fails ends the request. */
export function askKeychain(operations: readonly KeychainOperation[], options: KeychainOptions): KeychainAnswer {
  const child = options.started?.() ?? startHelper(options.command, options.env);
  const request: KeychainRequest = { service: options.service ?? SERVICE, operations };
  return new Exchange(child, request, options.limitMs ?? LIMIT_MS);
}

/** One helper's life: it answers and is killed; or it is killed without an answer. */
class Exchange implements KeychainAnswer {
  readonly #child: Helper;
  readonly #limitMs: number;
  readonly #reply = Promise.withResolvers<readonly KeychainResult[]>();
  readonly #timer: NodeJS.Timeout;
  #over = false;
  #text = '';

  constructor(child: Helper, request: KeychainRequest, limitMs: number) {
    this.#child = child;
    this.#limitMs = limitMs;
    // The timers come first in the event loop: an answer that lies in the pipe already is read before time is called.
    this.#timer = setTimeout(() => setImmediate(() => this.#fail('timeout', '')), limitMs).unref();
    // A request nobody waits for may fail in silence; `results` hands the same promise out.
    this.#reply.promise.catch(() => undefined);
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.once('error', () => this.#fail('failed', 'its helper could not be started'));
    child.once('close', () => this.#fail('failed', 'its helper ended without an answer'));
    child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  results(): Promise<readonly KeychainResult[]> {
    if (!this.#over) this.#timer.ref();
    return this.#reply.promise;
  }

  #read(text: string): void {
    this.#text += text;
    const end = this.#text.indexOf('\n');
    if (end < 0) return;
    const reply = readReply(this.#text.slice(0, end));
    if (reply === null) this.#fail('failed', 'its helper gave an answer that is none');
    else if ('trouble' in reply) this.#fail(reply.trouble, reply.detail);
    else if (this.#end()) this.#reply.resolve(reply.results);
  }

  #fail(trouble: KeychainTrouble | 'timeout', detail: string): void {
    if (this.#end()) this.#reply.reject(failureOf(trouble, detail, this.#limitMs));
  }

  /** Nothing of the helper outlives its request. False when it was over already. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#child.kill('SIGKILL');
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    return true;
  }
}

/** What the helper's line says; null when it is no answer. */
function readReply(line: string): KeychainReply | null {
  try {
    // The other end of the pipe is our own program: beyond this, its word is taken.
    const reply = JSON.parse(line) as KeychainReply | null;
    return typeof reply === 'object' ? reply : null;
  } catch {
    return null;
  }
}

const WITHOUT =
  'sign in with credicorp login --store file to use an encrypted file, or set CC_CLIENT_ID and CC_CLIENT_SECRET';

/** Distinct causes, distinct words (command-line contract §5). */
function failureOf(trouble: KeychainTrouble | 'timeout', detail: string, limitMs: number): Failure {
  switch (trouble) {
    case 'no_library':
      return missing(
        "the keychain library could not be loaded; on Linux it needs libsecret's",
        'install libsecret-1-0',
      );
    case 'no_bus':
      return missing('there is no D-Bus session', 'sign in to a desktop, or run the command under dbus-run-session');
    case 'no_service':
      return missing('no secret service answers on D-Bus', 'install gnome-keyring or KeePassXC');
    case 'no_keyring':
      return missing('its secret service holds no keyring', 'make a default keyring in Passwords and Keys');
    case 'locked':
      return new Failure('auth', 'the keychain is locked', {
        code: 'keychain_locked',
        next: `unlock it (sign in to the desktop, or open it in its own program) and try again; or ${WITHOUT}`,
      });
    case 'timeout':
      return new Failure('auth', `the keychain did not answer in ${limitMs / 1000} s`, {
        code: 'keychain_timeout',
        next: `answer its window if it shows one and try again; or ${WITHOUT}`,
      });
    case 'failed':
      return new Failure('auth', `the keychain failed: ${redactText(detail).slice(0, 200).trim()}`, {
        code: 'keychain_failed',
        next: `see credicorp doctor; or ${WITHOUT}`,
      });
  }
}

function missing(why: string, cure: string): Failure {
  return new Failure('auth', `no keychain on this machine: ${why}`, {
    code: 'keychain_missing',
    next: `${cure}; or ${WITHOUT}`,
  });
}
