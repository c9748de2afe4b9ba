// What both programs do before the first real import. Plain JavaScript that an old Node can still read.

/** package.json "engines": ^22.22.2 || ^24.15.0 || >=26 */
export function supported(version) {
  const [major, minor, patch] = version.split('.').map(Number);
  if (major === 22) return minor > 22 || (minor === 22 && patch >= 2);
  if (major === 24) return minor >= 15;
  return major >= 26;
}

/**
 * Turns on Node's compile cache in the user's own cache folder, keeps the debugger shut and silences one warning users can do nothing about.
 * @param makeOwnFolder makes the folder and says whether only this user can write there: what is in it is run
 */
export async function prepare(env, platform, makeOwnFolder) {
  // Without a listener Node opens its debugger to every user of this machine.
  process.on('SIGUSR1', () => undefined);
  const warn = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] === 'ExperimentalWarning' && String(warning).startsWith('SQLite')) return;
    // Node lets FORCE_COLOR win and says so; here NO_COLOR wins.
    if (String(warning).includes("'NO_COLOR' env is ignored")) return;
    warn.call(process, warning, ...rest);
  };
  const { enableCompileCache } = await import('node:module');
  // Node's default is a shared folder under the temporary directory, where another user could leave prepared code for us.
  const home = env.HOME || env.USERPROFILE;
  const cache = env.XDG_CACHE_HOME || (platform === 'win32' ? env.LOCALAPPDATA : home && `${home}/.cache`);
  const folder = `${cache}/credicorp/compile`;
  if (cache && env.NODE_COMPILE_CACHE === undefined && makeOwnFolder(folder)) enableCompileCache(folder);
}
