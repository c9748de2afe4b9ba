import * as Args from '@oclif/core/args';
import { BaseCommand } from '../lib/cli/command.ts';
import { SCRIPTS, SHELLS } from '../lib/cli/completion/shell-scripts.ts';
import { type Result, text } from '../lib/cli/result.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Autocomplete extends BaseCommand<typeof Autocomplete> {
  static override summary = 'print a shell script that completes commands, flags, values and recent ids';
  static override description =
    'Uses only data on this machine and sends nothing. The first line of each script says where to put it.';
  static override examples = ['<%= config.bin %> autocomplete zsh', 'eval "$(<%= config.bin %> autocomplete bash)"'];
  static override recorded: Recording[] = [{ args: 'bash' }];
  static override args = {
    shell: Args.string({
      required: true,
      options: [...SHELLS],
      ignoreStdin: true,
      description: 'which shell',
    }),
  };

  async run(): Promise<Result> {
    const shell = SHELLS.find((name) => name === this.args.shell) ?? 'bash';
    return text(SCRIPTS[shell].trimEnd(), { shell, script: SCRIPTS[shell] });
  }
}
