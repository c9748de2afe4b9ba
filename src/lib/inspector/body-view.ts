/** A readable view of a body: text, indented JSON, or hex for binary. Secrets are redacted, and the view says so. */
import { parseJson, writeJson } from '../contract/json.ts';

export interface BodyView {
  bytes: number;
  kind: 'empty' | 'json' | 'text' | 'binary';
  text: string;
  /** Indented JSON with its numbers unchanged; null for anything else, and for JSON that is too big or too deep. */
  pretty: string | null;
  /** A secret was removed. */
  redacted: boolean;
  /** Only the beginning is shown. */
  cut: boolean;
}

/** Above these limits, indented text may be many times as long as the body. */
const MAX_PRETTY_CHARACTERS = 256 * 1024;
const MAX_PRETTY_DEPTH = 40;
const MAX_HEX_BYTES = 2048;

/** @param clean redacts a text */
export function bodyView(body: Uint8Array, clean: (text: string) => string): BodyView {
  const text = utf8(body);
  if (text === null) {
    const cut = body.length > MAX_HEX_BYTES;
    return { bytes: body.length, kind: 'binary', text: hexOf(body), pretty: null, redacted: false, cut };
  }
  return textView(text, { bytes: body.length, cut: false }, clean);
}

/** The same for a body that was recorded as text. */
export function textView(
  text: string,
  size: { bytes: number; cut: boolean },
  clean: (text: string) => string,
): BodyView {
  const shown = clean(text);
  const indented = size.cut ? null : prettyOf(text);
  const kind = text === '' ? 'empty' : isJson(text) ? 'json' : 'text';
  return { ...size, kind, text: shown, pretty: indented === null ? null : clean(indented), redacted: shown !== text };
}

function prettyOf(text: string): string | null {
  if (text.length > MAX_PRETTY_CHARACTERS || depthOf(text) > MAX_PRETTY_DEPTH) return null;
  try {
    return writeJson(parseJson(text), 2);
  } catch {
    return null;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** An upper bound of the nesting depth: brackets inside strings are counted too. */
function depthOf(text: string): number {
  let depth = 0;
  let most = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) depth += 1;
    else if (code === 0x5d || code === 0x7d) depth -= 1;
    if (depth > most) most = depth;
  }
  return most;
}

function utf8(body: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return null;
  }
}

function hexOf(body: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(body.length, MAX_HEX_BYTES); at += 16) {
    const bytes = [...body.subarray(at, at + 16)];
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const seen = bytes.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${seen}`);
  }
  return lines.join('\n');
}
