/** One variable in the text of an `.env` file; every other byte stays as it is. */

/**
 * Sets `name=value`: in place where the name stands (in all places, if it stands there more than once), else as a new last line.
 * An `export ` before it, the spaces around `=` and the file's line ends are kept.
 */
export function setVariable(text: string, name: string, value: string): string {
  const written = /^[A-Za-z0-9_./+:=-]*$/.test(value) ? value : quoted(value);
  const line = new RegExp(`^([ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=[ \\t]*)[^\\r\\n]*`, 'gm');
  if (line.test(text)) return text.replace(line, (_whole, start: string) => start + written);
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  const gap = text === '' || text.endsWith('\n') ? '' : lineEnd;
  return `${text}${gap}${name}=${written}${lineEnd}`;
}

/** Single quotes keep everything but a single quote itself; double quotes need three characters escaped. */
function quoted(value: string): string {
  return value.includes("'") ? `"${value.replaceAll(/["\\$]/g, '\\$&')}"` : `'${value}'`;
}
