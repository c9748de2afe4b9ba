/** Forwarding targets: parses `--forward` and `--route`. */
import { isLoopback } from '../../contract/environments.ts';
import { type Failure, usage } from '../../failure.ts';

export interface TargetOptions {
  /** Allows a target on another machine. */
  allowRemote?: boolean;
  /** Name of the flag, for error messages. */
  flag?: string;
}

/**
 * `3000`, `3000/hook`, `localhost:3000/hook` or a complete URL → URL. `http://` is added when there is no scheme.
 * @throws Failure `usage`; `remote_target` for a host that is not this machine, without `allowRemote`.
 */
export function parseTarget(text: string, options: TargetOptions = {}): URL {
  const flag = options.flag ?? '--forward';
  const wrong = (what: string, next: string, code = 'bad_target'): Failure =>
    usage(`${flag} ${quote(text)}: ${what}`, { code, param: flag, next });
  const example = 'give something like localhost:3000/hook or http://127.0.0.1:3000/hook';

  const trimmed = text.trim();
  if (trimmed === '') throw wrong('the address is empty', example);
  if (/[\s\p{Cc}]/u.test(trimmed)) throw wrong('an address cannot contain spaces', example);
  if (/^(?:https?\+)?unix:|^\.{0,2}\//i.test(trimmed)) {
    throw wrong(
      'Unix sockets are not supported',
      'let the app listen on a port as well, or bridge one to it: socat TCP-LISTEN:3000,bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:/path/to/socket',
    );
  }
  const url = readUrl(withScheme(trimmed));
  if (url === null) throw wrong(whyUnreadable(trimmed), example);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw wrong(`${url.protocol.slice(0, -1)} is not supported; use http or https`, example);
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('a target cannot contain a user name or password', 'leave out the part before @');
  }
  if (url.hash !== '') throw wrong('the part after # is never sent to a server', 'leave it out');
  if (url.port === '0') throw wrong('port 0 is not a valid target', example);
  if (options.allowRemote !== true && !isLocalHost(url.hostname)) {
    throw wrong(
      `${url.hostname} is not this machine, and deliveries contain customers' data`,
      'add --allow-remote to allow other machines',
      'remote_target',
    );
  }
  return url;
}

/**
 * Whether a parsed host name can only be this machine: a loopback address, `localhost`, or `*.localhost` (RFC 6761 §6.3). The last
 * is for the user's own app only: no API is called by such a name, and no server of ours answers to it.
 */
export function isLocalHost(hostname: string): boolean {
  return isLoopback(hostname) || /\.localhost\.?$/i.test(hostname);
}

/** Whether two targets are one, whatever the loopback name: `localhost:3000/hook` is `127.0.0.1:3000/hook`. */
export function sameTarget(one: string, other: string): boolean {
  return one === other || byAddress(one) === byAddress(other);
}

function byAddress(target: string): string {
  const url = new URL(target);
  if (/(^|\.)localhost\.?$/.test(url.hostname)) url.hostname = '127.0.0.1';
  return url.href;
}

export interface Route {
  /** An exact event type, `*`, or a family such as `payment.*`. */
  pattern: string;
  target: URL;
}

/** `payment.*=localhost:4000/pay` → route. @throws Failure `usage`. */
export function parseRoute(text: string, options: TargetOptions = {}): Route {
  const equals = text.indexOf('=');
  const pattern = text.slice(0, Math.max(equals, 0)).trim();
  if (!/^(\*|[a-z_]+(\.[a-z_]+)*(\.\*)?)$/.test(pattern)) {
    throw usage(`--route ${quote(text)}: an event type must come before =`, {
      code: 'bad_route',
      param: '--route',
      next: "give something like --route 'payment.*=localhost:4000/pay'",
    });
  }
  return { pattern, target: parseTarget(text.slice(equals + 1), { ...options, flag: '--route' }) };
}

/** Adds `http://`: without it `localhost:3000` would parse as a URL of the scheme `localhost`. */
function withScheme(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  return /^\d{1,5}(?:[/?]|$)/.test(text) ? `http://localhost:${text}` : `http://${text}`;
}

function readUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function whyUnreadable(text: string): string {
  const port = /:(\d+)(?:[/?#]|$)/.exec(text.replace(/^[a-z]+:\/\//i, ''))?.[1] ?? /^(\d+)(?:\/|$)/.exec(text)?.[1];
  if (port !== undefined && Number(port) > 65_535) return `${port} is not a port; ports go up to 65535`;
  if (/^[^/]*:[^0-9/]/.test(text)) return 'the text after the colon is not a port';
  return 'not a valid address';
}

/** Quotes user input for a message: shortened, and without a possible password before @. */
function quote(text: string): string {
  const safe = text.replace(/(^|\/\/|=)[^/@]*@/, '$1…@');
  return `"${safe.length > 100 ? `${safe.slice(0, 100)}…` : safe}"`;
}
