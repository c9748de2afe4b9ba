/**
 * The environment of a program that this one starts. Credentials stay here: of the variables named `CC_*` and `CREDICORP_*` a child gets
 * only those that say where things are and which profile is used, none that could hold a secret.
 */

type Environ = Readonly<Record<string, string | undefined>>;

const OURS = /^(?:CC|CREDICORP)_/i;
const HARMLESS: ReadonlySet<string> = new Set([
  'CREDICORP_CONFIG_DIR',
  'CREDICORP_STATE_DIR',
  'CREDICORP_PROFILE',
  'CREDICORP_KEYCHAIN',
]);

/** @param extra what this child needs besides, such as the app's signing secret for `--exec` */
export function childEnvironment(env: Environ, extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && (!OURS.test(name) || HARMLESS.has(name))) passed[name] = value;
  }
  return { ...passed, ...extra };
}
