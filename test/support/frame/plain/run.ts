/** The same commands on oclif as it comes: what the frame's cures are measured against. */
import { execute } from '@oclif/core/execute';

await execute({ dir: import.meta.url, loadOptions: { root: import.meta.dirname } });
