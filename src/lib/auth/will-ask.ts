/** Whether a command line is likely to need the keychain: read before anything else is loaded, so nothing heavy is imported here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** First words of the commands that show a credential to the API. */
const ASKING = new Set(['accounts', 'api', 'apps', 'decisions', 'identity', 'payments', 'token', 'whoami']);
/** Flags that send nothing. */
const IDLE = new Set(['--help', '-h', '--dry-run']);

/**
 * A guess at who will ask the keychain, from what costs nothing to read: the command's first word, the environment and the profile's
 * line in `config.json`. Who we are is decided elsewhere (`credentials`); a wrong guess costs time and nothing else.
 */
export function willAsk(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
): boolean {
  // Flags may stand before the command, with or without a value.
  const asks = argv[0]?.startsWith('-') ? argv.some((word) => ASKING.has(word)) : ASKING.has(argv[0] ?? '');
  if (!asks || argv.some((word) => IDLE.has(word))) return false;
  if (argv.includes('whoami') && !argv.includes('--check')) return false;
  const names = ['CC_CLIENT_SECRET', 'CC_SECRET_KEY', 'CREDICORP_CLIENT_SECRET', 'CREDICORP_SECRET_KEY'];
  if (names.some((name) => Boolean(env[name]))) return false;
  if ((env['CREDICORP_KEYCHAIN'] || 'os') !== 'os') return false;
  try {
    const { active, profiles } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as {
      active?: unknown;
      profiles?: { name?: unknown; store?: unknown }[];
    };
    const name = flagged(argv) ?? (env['CREDICORP_PROFILE'] || active);
    return profiles?.some((profile) => profile.name === name && profile.store === 'os') === true;
  } catch {
    return false;
  }
}

function flagged(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((word) => word === '--profile' || word.startsWith('--profile='));
  return at < 0 ? undefined : (/^--profile=(.*)$/.exec(argv[at] ?? '')?.[1] ?? argv[at + 1]);
}
