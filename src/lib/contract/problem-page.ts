/** What `credicorp errors explain` prints for an error code: its meaning, whether to repeat the call, what to change, which command helps. */
import { OAUTH_PROBLEMS, problemEntry, type ProblemRetry, PROBLEMS } from './problem.ts';

export interface ProblemPage {
  code: string;
  /** Usual HTTP status first. */
  status: number[];
  type: string | null;
  meaning: string;
  /** Whether the same call may succeed later, or under which condition. */
  retry: string;
  change: string;
  /** A command to run; words in capitals are placeholders for values. */
  command: string;
  doc_url: string;
  /** What the same code means when it comes from the token endpoint (partner-api.md#oauth-tokens). */
  at_token_endpoint?: { status: number; meaning: string; change: string };
}

const ERRORS_PAGE = 'https://dev.credicorp.co.uk/api-reference/errors.html';

const RETRY: Readonly<Record<ProblemRetry, string>> = {
  no: 'no: the same call fails again',
  yes: 'yes, after a pause',
  same_key: 'yes, after a few seconds, with the same idempotency key',
  poll: 'yes: read again until the result is there',
  after_mint: 'once, with a new access token',
  after_wait: 'yes, after the number of seconds in Retry-After',
  idempotent: 'yes: reads, and writes with the same idempotency key',
};

/** Every code that can be explained. */
export const EXPLAINED: readonly string[] = [...new Set([...Object.keys(PROBLEMS), ...Object.keys(OAUTH_PROBLEMS)])];

/** The explanation of a code; null for an unknown one, which is treated by its type, else by its status (partner-api.md#errors). */
export function problemPage(code: string): ProblemPage | null {
  const entry = problemEntry(code);
  const token = tokenEntry(code);
  if (!entry) {
    if (!token) return null;
    const retry = token.status === 429 ? RETRY.after_wait : RETRY.no;
    return {
      ...{ code, status: [token.status], type: null, meaning: token.meaning, retry, change: token.next },
      ...{ command: commandIn(token.next) ?? 'credicorp whoami --check', doc_url: ERRORS_PAGE },
    };
  }
  const page: ProblemPage = {
    ...{ code, status: [...entry.status], type: entry.type, meaning: entry.meaning },
    ...{ retry: RETRY[entry.retry], change: entry.next },
    command: commandIn(entry.next) ?? commandFor(entry.status[0]),
    doc_url: entry.anchored ? `${ERRORS_PAGE}#${code}` : ERRORS_PAGE,
  };
  if (token) page.at_token_endpoint = { status: token.status, meaning: token.meaning, change: token.next };
  return page;
}

function tokenEntry(code: string): { status: number; meaning: string; next: string } | null {
  const entries: Readonly<Record<string, { status: number; meaning: string; next: string }>> = OAUTH_PROBLEMS;
  return Object.hasOwn(OAUTH_PROBLEMS, code) ? (entries[code] ?? null) : null;
}

/** The command that the advice mentions. */
function commandIn(advice: string): string | null {
  return /`(credicorp [^`]+)`/.exec(advice)?.[1] ?? null;
}

function commandFor(status: number): string {
  if (status === 401 || status === 403) return 'credicorp whoami --check';
  if (status === 429) return 'credicorp logs stats';
  return status >= 500 ? 'credicorp status' : 'credicorp logs show REQ';
}
