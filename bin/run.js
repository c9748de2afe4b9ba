#!/usr/bin/env node
// The installed program: checks the Node version in words an old Node understands, turns on the compile cache, hands over.
import { fileURLToPath } from 'node:url';
import { prepare, supported } from './prepare.js';

if (supported(process.versions.node)) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const helper = fileURLToPath(new URL('../dist/keychain-helper.js', import.meta.url));
  import('../dist/ownership.js')
    .then(({ makeOwnFolder }) => prepare(process.env, process.platform, makeOwnFolder))
    .then(() => import('../dist/main.js'))
    .then((program) => program.main({ root, script: fileURLToPath(import.meta.url), helper }));
} else {
  process.stderr.write(`credicorp needs Node ^22.22.2, ^24.15.0 or >=26; this is Node ${process.versions.node}\n`);
  process.exitCode = 2;
}
