/** Where deliveries go: what a person types, read strictly, and which target wants which event. */
import { eventMatches } from '../contract/events.ts';
import { type Failure, usage } from '../failure.ts';

export interface TargetOptions {
  /** Lets a target be a host other than this machine. */
  allowRemote?: boolean;
  /** The flag that carried the text, for the message. */
  flag?: string;
}

/**
 * `3000`, `3000/hook`, `localhost:3000/hook` or a whole URL → URL. `http://` is added where no scheme stands.
 * @throws Failure `usage` that says what is wrong; `remote_target` for a host off this machine without `allowRemote`.
 */
export function parseTarget(text: string, options: TargetOptions = {}): URL {
  const flag = options.flag ?? '--forward';
  const wrong = (what: string, next: string, code = 'bad_target'): Failure =>
    usage(`${flag} ${quote(text)}: ${what}`, { code, param: flag, next });
  const example = 'give something like localhost:3000/hook or http://127.0.0.1:3000/hook';

  const trimmed = text.trim();
  if (trimmed === '') throw wrong('no address given', example);
  if (/[\s\p{Cc}]/u.test(trimmed)) throw wrong('an address holds no white space', example);
  const url = readUrl(withScheme(trimmed));
  if (url === null) throw wrong(whyUnreadable(trimmed), example);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw wrong(`${url.protocol.slice(0, -1)} is not a scheme deliveries can take; http and https are`, example);
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('user and password do not belong into an address', 'leave out the part before @');
  }
  if (url.hash !== '') throw wrong('the part after # never reaches a server', 'leave it out');
  if (url.port === '0') throw wrong('port 0 cannot be called', example);
  if (options.allowRemote !== true && !isLoopback(url.hostname)) {
    throw wrong(
      `${url.hostname} is not this machine, and deliveries carry customers' data`,
      'add --allow-remote if it shall leave this machine',
      'remote_target',
    );
  }
  return url;
}

/** A parsed host that can only be this machine: `localhost`, `*.localhost` (RFC 6761 §6.3), 127.0.0.0/8, `[::1]`. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  if (host === 'localhost' || host.endsWith('.localhost') || host === '[::1]') return true;
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
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
    throw usage(`--route ${quote(text)}: an event type must stand before =`, {
      code: 'bad_route',
      param: '--route',
      next: "give something like --route 'payment.*=localhost:4000/pay'",
    });
  }
  return { pattern, target: parseTarget(text.slice(equals + 1), { ...options, flag: '--route' }) };
}

export interface Routing {
  /** Every target there is, as text. */
  targets: string[];
  /** Where an event goes: to each route that names its type, else to the default. */
  route: (eventType: string | null) => string[];
}

const MAX_TARGETS = 100;

/** @param forward takes what no route wants; null leaves such events in the inbox. @throws Failure `usage` beyond 100 targets. */
export function routing(forward: URL | null, routes: readonly Route[]): Routing {
  const all = [...routes.map((route) => route.target.href), ...(forward === null ? [] : [forward.href])];
  const targets = [...new Set(all)];
  if (targets.length > MAX_TARGETS) {
    throw usage(`${targets.length} targets are more than one listener serves`, {
      code: 'too_many_targets',
      param: '--route',
      next: `name at most ${MAX_TARGETS}`,
    });
  }
  return {
    targets,
    route(eventType) {
      const wanted = routes.filter((route) => route.pattern === '*' || eventMatches(route.pattern, eventType ?? ''));
      if (wanted.length > 0) return [...new Set(wanted.map((route) => route.target.href))];
      return forward === null ? [] : [forward.href];
    },
  };
}

/** `localhost:3000` would parse as a URL of the scheme `localhost`, and a bare number as a path. */
function withScheme(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  return /^\d{1,5}(?:[/?]|$)/.test(text) ? `http://localhost:${text}` : `http://${text}`;
}

function readUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function whyUnreadable(text: string): string {
  const port = /:(\d+)(?:[/?#]|$)/.exec(text.replace(/^[a-z]+:\/\//i, ''))?.[1] ?? /^(\d+)(?:\/|$)/.exec(text)?.[1];
  if (port !== undefined && Number(port) > 65_535) return `${port} is not a port; they end at 65535`;
  if (/^[^/]*:[^0-9/]/.test(text)) return 'what follows the colon is not a port';
  return 'this is not an address';
}

/** Cut, and without what may be a password before an @. */
function quote(text: string): string {
  const safe = text.replace(/(^|\/\/|=)[^/@]*@/, '$1…@');
  return `"${safe.length > 100 ? `${safe.slice(0, 100)}…` : safe}"`;
}
