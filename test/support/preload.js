// Loaded before each test file: one compile cache for all of them, and an end for each.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// What one file compiled, types stripped, the next ones need not.
enableCompileCache(join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'tests'));

/** For hooks of the file's own, which come after this one, and for connections on their way out. */
const GRACE_MS = 20_000;

// A file whose tests are over must end. What a failed test left open would keep it, and the whole run, for ever: it is named instead.
if (process.env['NODE_TEST_CONTEXT'] === 'child-v8') {
  const { after } = await import('node:test');
  after(() => {
    setTimeout(() => {
      process.stderr.write(
        `${process.argv[1]} does not end; still open: ${process.getActiveResourcesInfo().join(', ')}\n`,
      );
      process.exit(1);
    }, GRACE_MS).unref();
  });
}
