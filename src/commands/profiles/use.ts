import * as Args from '@oclif/core/args';
import { findPin } from '../../lib/auth/credentials/directory-pin.ts';
import { updateConfig, withActive } from '../../lib/auth/credentials/profiles.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class ProfilesUse extends BaseCommand<typeof ProfilesUse> {
  static override summary = 'make a profile the active one';
  static override examples = ['<%= config.bin %> profiles use local', '<%= config.bin %> profiles use local --quiet'];
  static override recorded: Recording[] = [{ args: 'local' }];
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: 'profile name' }) };

  async run(): Promise<Result> {
    const { name } = this.args;
    const { cwd, env, home, paths } = this.context;
    await updateConfig(paths.config, (config) => withActive(config, name));
    this.note(`profile ${name} is active`);
    // What comes first all the same (command-line.md#profiles-credentials-and-precedence).
    if (env['CREDICORP_PROFILE'] && env['CREDICORP_PROFILE'] !== name)
      this.note(`note: CREDICORP_PROFILE=${env['CREDICORP_PROFILE']} is set in this shell and comes first`);
    const pin = findPin(cwd, home, { state: paths.state });
    if (pin?.profile !== undefined && pin.profile !== name)
      this.note(`note: ${pin.path} names profile ${pin.profile} and comes first in this folder`);
    return object({ active: name }, { id: name, human: '' });
  }
}
