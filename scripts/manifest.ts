/** The manifest that spares oclif from reading every command file at each start: see src/lib/cli/manifest.ts for what is in it. */
import { addFlagFacts } from '../src/lib/cli/manifest.ts';

/** @param root folder of package.json, whose `oclif.commands` names the folder of the command files */
export async function manifestOf(root: string): Promise<object> {
  const oclif = await import('@oclif/core/config');
  const plugin = new oclif.Plugin({
    root,
    ignoreManifest: true,
    errorOnManifestCreate: true,
    respectNoCacheDefault: true,
  });
  await plugin.load();
  for (const [id, command] of Object.entries(plugin.manifest.commands))
    addFlagFacts(command, await plugin.findCommand(id, { must: true }));
  return plugin.manifest;
}
