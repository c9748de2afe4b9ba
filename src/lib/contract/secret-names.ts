/**
 * Which names say that their value is a secret, which values are only placeholders, and what of a secret may be shown
 * (partner-api.md#credential-kinds). Names are compared word by word: `clientSecret`, `client-secret` and `CLIENT_SECRET` are one name.
 */

export const REDACTED = '[redacted]';

/** `yes`: every value is a secret. `unless_word`: a word of a sentence (`signature: valid`) or a number is not. */
export type Verdict = 'yes' | 'unless_word' | 'no';

/** Longest name that is looked at. */
export const LONGEST_NAME = 80;

/** A name without any of these says nothing about secrets. */
const MAYBE = /secret|token|pass|pwd|credential|cookie|assertion|key|jwt|otp|pin|bearer|dpop|auth|session|sig|code/i;

const SECRET_WORD =
  /(?:secret|token|password|passwd|passphrase|passcode|pwd|credential|cookie2?|assertion|apikey|authkey|accesskey|privatekey|secretkey|signingkey|encryptionkey|sessionkey|sessionid|jwt|otp|bearer|dpop|authorization)s?$/;
const SHORT_SECRET_WORD = /^(?:pins?|sessions?|sid)$/;
const WEAK_WORD = /^(?:pass|auth|sigs?|signatures?)$/;
/** What a secret key is for. Other keys (`idempotency_key`, `primary_key`) open nothing. */
const KEY_OF =
  /^(?:api|app|access|private|secret|auth|session|encryption|encrypt|decryption|decrypt|signing|sign|subscription|functions?|master|shared|service|ssh|hmac|mac|symmetric|client|webhook|license|partner|host|storage|account|pass)$/;
const CODE_OF = /^(?:authorization|auth|authentication|verification|verify|security|recovery|otp|pass|pin)$/;
/** A name that ends with one of these describes a secret and does not hold it: `token_type`, `secret_expires_at`. */
const DESCRIBES =
  /^(?:types?|urls?|uris?|endpoints?|at|in|expires|expiry|expired|expiration|exp|count|limit|remaining|names?|status|state|methods?|scopes?|algs?|algorithms?|policy|length|timeout|ttl|source|sources|kind|format|supported|required|enabled|present|stored|prefix|version|created|updated|path|file|hint|by|on|issuer|audience|environment|mode|cause|valid|verified|verdict|error|errors|ok|kid|description|placeholder|label|title|param|header|headers|required|missing|invalid)$/;

/** What a member, field, variable or tag of this name holds. */
export function verdictOn(name: string): Verdict {
  if (name.length < 3 || name.length > LONGEST_NAME) return 'no';
  const known = verdicts.get(name);
  if (known !== undefined) return known;
  const verdict = judge(name);
  if (verdicts.size >= MOST_VERDICTS) verdicts.clear();
  verdicts.set(name, verdict);
  return verdict;
}

/** Names come again and again. */
const verdicts = new Map<string, Verdict>();
const MOST_VERDICTS = 2000;

function judge(name: string): Verdict {
  if (!MAYBE.test(name)) return 'no';
  if (name.includes('-') && SECRET_HEADER.test(name) && !OPEN_HEADER.test(name)) return 'yes';
  const words = wordsOf(name);
  const last = words.at(-1) ?? '';
  if (DESCRIBES.test(last)) return 'no';
  if (SECRET_WORD.test(words.join(''))) return 'yes';
  let verdict: Verdict = 'no';
  for (const [at, word] of words.entries()) {
    if (SECRET_WORD.test(word) || SHORT_SECRET_WORD.test(word)) return 'yes';
    const before = words[at - 1] ?? '';
    if (/^keys?$/.test(word) && KEY_OF.test(before)) return 'yes';
    if (/^codes?$/.test(word) && CODE_OF.test(before)) return 'yes';
    if (WEAK_WORD.test(word)) verdict = 'unless_word';
  }
  return verdict;
}

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '' && !/^(?:v?\d+)$/.test(word));
}

/** Names of headers matching auth, key, session, token, secret, cookie and the like. */
export const SECRET_HEADER =
  /auth|key|session|token|secret|cookie|passw|pwd|passphrase|credential|signature|dpop|jwt|assertion|otp$|^sid$/i;
/** Names that match and hold no secret. */
export const OPEN_HEADER =
  /^(?:(?:x-)?idempotency-key|:?authority|authentication-info|access-control-[\w-]+|surrogate-key|cache-key|x-cache-key)$/i;

/** The part of a secret value that may be shown: its scheme and its published prefix. A placeholder is not a secret. */
export function mask(value: string): string {
  return isPlaceholder(value) ? value : maskAlways(value);
}

/** `mask` for a value that is known to be a secret, whatever it looks like. */
export function maskAlways(value: string): string {
  if (!/[bcpsw]/i.test(value.charAt(0))) return REDACTED;
  const shown = /^(?:(?:bearer|basic)\s+)?(?:(?:c?sk|pk)_(?:test_|live_|sbx_)?|whsec_)?/i.exec(
    value.slice(0, LONGEST_NAME),
  );
  return `${shown?.[0] ?? ''}${REDACTED}`;
}

/** webhooks.md#verification: `t=<seconds>,v1=<hex>`; the time is useful in a log, the MACs are not shown. */
export const SIGNATURE = /^t=\d{1,16},/;
export const MACS = /,\s{0,8}(?!t=\d{1,16}(?:,|$))(\w{1,8}=)?[^,]*/g;
export const MACS_MASKED = `,$1${REDACTED}`;

/**
 * A placeholder instead of a secret: a variable, a command, `<your key>`, `***`, or our own mark. Only by shape: a value that is known to be
 * a secret is never one.
 */
export function isPlaceholder(value: string): boolean {
  return value.length <= LONGEST_NAME && MAY_BE_PLACEHOLDER[value.charCodeAt(0)] === 1 && PLACEHOLDER.test(value);
}

const PLACEHOLDER =
  /^(?:[Bb]earer\s+|[Bb]asic\s+)?(?:(?:c?sk|pk|CSK|SK|PK)_(?:test_|live_|sbx_|TEST_|LIVE_|SBX_)?|whsec_|WHSEC_)?(?:|\$[A-Z]{2,}(?:_[A-Z]+)*\d?|\$\{[A-Z]{2,}(?:_[A-Z]+)*\d?\}|\$\(credicorp [\w -]+\)|<[a-z]+(?:[ _-][a-z]+)*>|\*+|\[redacted\]|\[REDACTED\])$|^(?:…|null|undefined|true|false)$/;

/** By the first character. */
const MAY_BE_PLACEHOLDER: Record<number, 1> = {};
for (const first of '$<*…[nutfbcpswBCPSW') MAY_BE_PLACEHOLDER[first.charCodeAt(0)] = 1;

/** A word of a sentence or of an error code: lower-case letters only. No secret that somebody generated looks like that. */
export function isWord(value: string): boolean {
  return (
    value.length <= 32 && /^(?:[A-Za-z]?[a-z]{0,14}(?:[_-][a-z]{1,14}){0,4}|\d{1,3}[a-z]{0,2})[,.;:!?]?$/.test(value)
  );
}
