import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../lib/cli/command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { logout } from '../../lib/cli/sign-in/login.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class ProfilesRemove extends BaseCommand<typeof ProfilesRemove> {
  static override summary = 'remove a profile with its secret, its tokens and its webhook secrets';
  static override description = 'The same as logout for that profile.';
  static override examples = [
    '<%= config.bin %> profiles remove local',
    '<%= config.bin %> profiles remove local --field forgotten.secrets',
  ];
  static override recorded: Recording[] = [{ args: 'local', stage: 'offline', after: 'sandbox start' }];
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: 'profile name' }) };

  async run(): Promise<Result> {
    const forgotten = await logout(this.context, await this.session(), this.args.name);
    this.note(`removed profile ${this.args.name}; no secret of it is left on this machine`);
    return object({ forgotten }, { id: this.args.name, human: '' });
  }
}
