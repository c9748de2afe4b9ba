// Loaded before each test file: what one file compiled, types stripped, the next ones need not.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'tests'));
