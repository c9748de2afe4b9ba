/** Turns whatever was thrown into an exit status and an error message: what happened, what is known, what to do. oclif's errors are reworded here. */
import { OAUTH_PROBLEMS, problemEntry } from '../contract/problem.ts';
import { redactText } from '../contract/secrets.ts';
import { Failure, type FailureFacts, type FailureKind } from '../failure.ts';
import { diskFull, isDiskFull } from '../files/full-disk.ts';
import { suggest } from './suggest.ts';
import { plainLine } from './output/terminal-text.ts';

/** command-line.md#exit-status. */
export const STATUS: Readonly<Record<FailureKind, number>> = {
  refused: 1,
  usage: 2,
  not_found: 3,
  auth: 4,
  rate_limited: 5,
  unavailable: 6,
  bad_signature: 7,
  pending: 8,
  unmet: 9,
  bug: 70,
  interrupted: 130,
};

/** The JSON document written to stderr under `--json`. */
export function errorDocument(failure: Failure): { error: Record<string, unknown> } {
  const { facts } = failure;
  const known: Record<string, unknown> = {
    kind: failure.kind,
    status: facts.status,
    type: facts.type,
    code: facts.code,
    message: redactText(failure.message),
    param: cleaned(facts.param),
    details: facts.details?.map((detail) => ({
      ...detail,
      ...(detail.message === undefined ? {} : { message: redactText(detail.message) }),
    })),
    request_id: facts.requestId,
    doc_url: facts.docUrl,
    retry_after: facts.retryAfter,
    may_have_happened: facts.mayHaveHappened,
    idempotency_key: cleaned(facts.idempotencyKey),
    repeat: cleaned(facts.repeat),
    last: facts.last,
    cursor: facts.cursor,
    next: cleaned(facts.next),
  };
  return {
    error: Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined && value !== null)),
  };
}

/**
 * What happened, what is known, what to do next, for people; last, where there is a request id, the command that makes a ticket of
 * it. What came from the server is made safe for a terminal.
 */
export function errorLines(failure: Failure, paint: { bad(text: string): string; dim(text: string): string }): string {
  const lines = [`${paint.bad('error:')} ${plainLine(redactText(failure.message))}`];
  const known = knownLine(failure.facts);
  if (known !== '') lines.push(paint.dim(`  ${plainLine(redactText(known))}`));
  const next = nextLine(failure.facts);
  if (next !== '') lines.push(`  ${plainLine(redactText(next))}`);
  const { repeat, requestId } = failure.facts;
  if (repeat !== undefined) lines.push(`  ${plainLine(redactText(repeat))}`);
  // The line is meant to be pasted into a shell: only a plain id gets into it.
  if (requestId !== undefined && /^\w[\w-]{0,63}$/.test(requestId))
    lines.push(`  credicorp support report ${requestId}`);
  return `${lines.join('\n')}\n`;
}

/**
 * Any thrown value as a failure. oclif's own errors are usage mistakes; everything else nobody threw on purpose is a bug of ours.
 * @param command what the user typed after the program's name, for the help hint
 */
export function asFailure(error: unknown, command: string): Failure {
  if (error instanceof Failure) return unwrapped(error);
  if (isDiskFull(error)) return diskFull(pathOf(error), error);
  if (isPromptExit(error)) return new Failure('interrupted', 'stopped at a prompt');
  if (isUnknownFlag(error)) return unknownFlag(error, command);
  if (isOclifError(error)) {
    return new Failure('usage', mistake(error.message), {
      next: `see: credicorp ${command}${command === '' ? '' : ' '}--help`,
    });
  }
  const name = error instanceof Error ? error.name : 'Error';
  const message = error instanceof Error ? error.message : String(error);
  return new Failure(
    'bug',
    `this is a bug in credicorp: ${name}: ${message}`,
    {
      next: 'please report it with the command you ran (see "Reporting a problem" in the README); --debug shows where it happened',
    },
    error,
  );
}

/** The path in an error of the file system. */
function pathOf(error: unknown): string | null {
  return error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : null;
}

function cleaned(text: string | undefined): string | undefined {
  return text === undefined ? undefined : redactText(text);
}

/** Names `errors explain` where it knows the code. */
function nextLine({ next = '', code = '', status }: FailureFacts): string {
  const known = problemEntry(code) !== undefined || Object.hasOwn(OAUTH_PROBLEMS, code);
  const page = status !== undefined && known ? `credicorp errors explain ${code}` : '';
  return [next, page].filter((part) => part !== '').join(' · more: ');
}

function knownLine(facts: FailureFacts): string {
  const parts = [
    [facts.status, facts.code ?? facts.type].filter((part) => part !== undefined).join(' '),
    facts.param ? `param ${facts.param}` : '',
    facts.requestId ? `request ${facts.requestId}` : '',
    facts.idempotencyKey ? `idempotency key ${facts.idempotencyKey}` : '',
    facts.cursor ? `resume with --cursor ${facts.cursor}` : '',
  ];
  const others = (facts.details ?? []).filter((detail) => detail.param !== facts.param);
  for (const detail of others) parts.push(`${detail.param}: ${detail.message ?? detail.code ?? 'not valid'}`);
  return parts.filter((part) => part !== '').join(' · ');
}

/** oclif wraps what a flag's parser throws: `Parsing --amount \n\t<message>\nSee more help with --help`. */
const WRAPPED = /^Parsing --(\S+) \n\t([\s\S]*)\nSee more help with --help$/;

function unwrapped(failure: Failure): Failure {
  const match = WRAPPED.exec(failure.message);
  if (!match) return failure;
  const facts = { ...failure.facts, param: failure.facts.param ?? `--${match[1]}` };
  return new Failure(failure.kind, match[2] ?? '', facts, failure.cause);
}

function mistake(message: string): string {
  const said = message
    .replace(/\nSee more help with --help$/, '')
    // The unexpected argument may be a pasted secret: it is not repeated.
    .replace(/^Unexpected arguments?:[\s\S]*/, 'too many arguments')
    .replace(/^The following errors? occurred:\s*Missing required flag (\S+)/, '--$1 is missing')
    .replace(/^Missing required flag (\S+)/, '--$1 is missing')
    .replace(/^Missing \d+ required args?:\s*(\S+) */, (_all, name: string) => `${name.toUpperCase()} is missing: `)
    // oclif repeats the parsed value, not the typed one.
    .replace(/(--[\w-]+)=[\s\S]*? cannot also be provided when using (--[\w-]+)/g, '$1 and $2 cannot be used together')
    .replace(/All of the following must be provided when using (--[\w-]+):/i, '$1 can only be used with')
    .replace(/^The following errors? occurred:/, '')
    .replace(/^Flag (--\S+) expects/, '$1 expects')
    .trim();
  return plainLine(/^[A-Z]{2}/.test(said) ? said : said.charAt(0).toLowerCase() + said.slice(1));
}

function isOclifError(error: unknown): error is Error & { oclif: unknown } {
  return error instanceof Error && 'oclif' in error;
}

interface UnknownFlag extends Error {
  flags: string[];
  parse: { input: { flags: Record<string, unknown> } };
}

function isUnknownFlag(error: unknown): error is UnknownFlag {
  return isOclifError(error) && 'flags' in error && error.message.startsWith('Nonexistent flag');
}

/** Repeats only the name: what follows `=` may be a secret. */
function unknownFlag({ flags, parse }: UnknownFlag, command: string): Failure {
  const [unknown = '', ...more] = flags.map((flag) => plainLine(flag.replace(/=.*$/s, '')).slice(0, 60));
  const guess = suggest(
    unknown,
    Object.keys(parse.input.flags).map((name) => `--${name}`),
  );
  const help = `see: credicorp ${command}${command === '' ? '' : ' '}--help`;
  return new Failure('usage', `unknown flag ${[unknown, ...more].join(', ')}`, {
    next: guess === null ? help : `did you mean ${guess}; ${help}`,
  });
}

/** What inquirer throws on Ctrl-C or a closed input at a prompt. */
function isPromptExit(error: unknown): boolean {
  return error instanceof Error && (error.name === 'ExitPromptError' || error.name === 'AbortPromptError');
}
