/** A small program on the real frame, for tests that need commands no user should have. */
import { main } from '../../../src/lib/cli/program.ts';

await main({ root: import.meta.dirname, script: import.meta.filename, helper: 'none' });
