import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../lib/cli/command.ts';
import { object, type Result } from '../lib/cli/result.ts';
import { logout } from '../lib/cli/sign-in/login.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Logout extends BaseCommand<typeof Logout> {
  static override summary = 'sign out: remove a profile with its secret, token and webhook secrets';
  static override description = 'Without --profile it removes the active profile, with --all every profile.';
  static override examples = ['<%= config.bin %> logout', '<%= config.bin %> logout --all'];
  static override recorded: Recording[] = [{ stage: 'end', after: 'sandbox reset' }];
  static override flags = { all: Flags.boolean({ summary: 'sign out of every profile' }) };

  async run(): Promise<Result> {
    const session = await this.session();
    const forgotten = await logout(this.context, session, this.flags.all ? 'all' : (this.flags.profile ?? null));
    for (const { profile, secrets } of forgotten)
      this.note(
        `forgot profile ${profile} and ${secrets} stored ${secrets === 1 ? 'secret' : 'secrets'}; no secret of it is left on this machine`,
      );
    if (forgotten.length === 0) this.note('nobody is signed in; nothing was stored');
    return object({ forgotten }, { id: forgotten.map(({ profile }) => profile).join('\n') || null, human: '' });
  }
}
