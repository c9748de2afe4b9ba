/** The environment variables that carry credentials and hosts, each with its twin (partner-api.md#credential-kinds, command-line.md#profiles-credentials-and-precedence). */
import { inspect } from 'node:util';
import { parseBase, parseTokenUrl } from '../../contract/environments.ts';
import { Failure, usage } from '../../failure.ts';

type Environ = Readonly<Record<string, string | undefined>>;

/** A value and the variable it came from. */
export interface Variable<T> {
  name: string;
  value: T;
}

export interface Variables {
  profile: Variable<string> | null;
  clientId: Variable<string> | null;
  clientSecret: Variable<Secret> | null;
  secretKey: Variable<Secret> | null;
  webhookSecret: Variable<Secret> | null;
  base: Variable<string> | null;
  tokenUrl: Variable<string> | null;
  /** Which vault is used instead of the keychain. */
  keychain: Variable<'os' | 'file' | 'memory'> | null;
}

/**
 * Reads them all. An empty variable counts as not set.
 * @throws Failure `usage` (`conflicting_variables`) when a variable and its twin are both set and differ; names, never values.
 */
export function readVariables(env: Environ): Variables {
  const secret = (name: string) => mapped(twin(env, name), (text) => new Secret(text));
  return {
    profile: single(env, 'CREDICORP_PROFILE'),
    clientId: twin(env, 'CLIENT_ID'),
    clientSecret: secret('CLIENT_SECRET'),
    secretKey: secret('SECRET_KEY'),
    webhookSecret: secret('WEBHOOK_SECRET'),
    base: mapped(twin(env, 'BASE'), parseBase),
    tokenUrl: mapped(twin(env, 'TOKEN_URL'), parseTokenUrl),
    keychain: mapped(single(env, 'CREDICORP_KEYCHAIN'), keychainName),
  };
}

function twin(env: Environ, name: string): Variable<string> | null {
  const first = single(env, `CC_${name}`);
  const second = single(env, `CREDICORP_${name}`);
  if (first !== null && second !== null && first.value !== second.value) {
    throw usage(`${first.name} and ${second.name} are both set and differ`, {
      code: 'conflicting_variables',
      next: `unset one of them: unset ${second.name}`,
    });
  }
  return first ?? second;
}

function single(env: Environ, name: string): Variable<string> | null {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : { name, value };
}

function mapped<T>(variable: Variable<string> | null, read: (text: string) => T): Variable<T> | null {
  if (variable === null) return null;
  try {
    return { name: variable.name, value: read(variable.value) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw usage(`${variable.name}: ${error.message}`, { ...error.facts, param: variable.name });
  }
}

function keychainName(text: string): 'os' | 'file' | 'memory' {
  if (text === 'os' || text === 'file' || text === 'memory') return text;
  throw usage('is none of os, file, memory', { code: 'bad_keychain', next: 'unset it, or set it to one of the three' });
}

const REDACTED = '[redacted]';

/** A secret that shows nothing when it is printed, logged, inspected or written as JSON (partner-api.md#credential-kinds). */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The secret itself, at the one place that needs it. */
  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
