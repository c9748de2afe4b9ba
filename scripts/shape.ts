/** Shapes of JSON documents: names and types, no values. */

/** The type of each member; items of a list are one item. Whether a member is null differs from run to run, and is not recorded. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [value.map(shapeOf).reduce(merged)];
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byName)
      .map(([name, inner]) => [name, shapeOf(inner)]),
  );
}

export function merged(one: unknown, other: unknown): unknown {
  if (one === 'null' || other === 'null') return one === 'null' ? other : one;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === 0 || other.length === 0 ? [...one, ...other] : [merged(one[0], other[0])];
  if (!isObject(one) || !isObject(other)) return one === other ? one : `${String(one)}|${String(other)}`;
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      name in one && name in other ? merged(one[name], other[name]) : (one[name] ?? other[name]),
    ]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
