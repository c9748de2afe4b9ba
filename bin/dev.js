#!/usr/bin/env node
// The same program from source, for working on it: Node runs the TypeScript files as they are.
import { fileURLToPath } from 'node:url';
import { prepare, supported } from './prepare.js';

if (supported(process.versions.node)) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  import('../src/lib/files/ownership.ts')
    .then(({ makeOwnFolder }) => prepare(process.env, process.platform, makeOwnFolder))
    .then(() => import('../src/lib/cli/program.ts'))
    .then((program) =>
      program.main({
        root,
        script: fileURLToPath(import.meta.url),
        helper: fileURLToPath(new URL('../src/lib/auth/keychain/keychain-helper.ts', import.meta.url)),
        fromSource: true,
      }),
    );
} else {
  process.stderr.write(`credicorp needs Node ^22.22.2, ^24.15.0 or >=26; this is Node ${process.versions.node}\n`);
  process.exitCode = 2;
}
