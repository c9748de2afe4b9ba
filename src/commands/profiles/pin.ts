import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { writePin } from '../../lib/auth/credentials/directory-pin.ts';
import { findProfile, readConfig, unknownProfile } from '../../lib/auth/credentials/profiles.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { parseBase, parseTokenUrl } from '../../lib/contract/environments.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class ProfilesPin extends BaseCommand<typeof ProfilesPin> {
  static override summary = 'use a profile in this folder and below it';
  static override description = `Writes .credicorp.json, which contains a profile name and optionally hosts, never a secret, so it can be committed. A host in it is used only if the profile's secret already goes
there: a file in a repository cannot send your secret elsewhere.`;
  static override examples = ['<%= config.bin %> profiles pin', '<%= config.bin %> profiles pin local --field path'];
  static override recorded: Recording[] = [{ args: 'local' }];
  static override args = {
    name: Args.string({ ignoreStdin: true, description: 'profile name [default: the active one]' }),
  };
  static override flags = {
    'token-url': Flags.string({ helpValue: '<url>', summary: 'also write this token URL into the pin' }),
  };

  async run(): Promise<Result> {
    const config = readConfig(this.context.paths.config);
    const name = this.args.name ?? this.flags.profile ?? config.active;
    if (name === null)
      throw usage('there is no active profile to pin', { next: 'name one, or sign in: credicorp login' });
    const profile = findProfile(config, name);
    if (profile === null) throw unknownProfile(config, name, 'no such profile:');
    const { 'api-base': base, 'token-url': tokenUrl } = this.flags;
    const pin = {
      profile: name,
      ...(base === undefined ? {} : { base: parseBase(base) }),
      ...(tokenUrl === undefined ? {} : { tokenUrl: parseTokenUrl(tokenUrl) }),
    };
    if (pin.base !== undefined && pin.base !== profile.base) {
      throw usage(`a pin cannot send the secret of profile ${name} to another host than ${profile.base}`, {
        code: 'pin_refused',
        param: '--api-base',
        next: 'leave --api-base out, or sign in to a profile for that host',
      });
    }
    const path = writePin(this.context.cwd, pin, this.context.paths.state);
    this.note(`profile ${name} is used in this folder and below it`);
    return object({ path, profile: name, base: pin.base ?? null, token_url: pin.tokenUrl ?? null }, { id: name });
  }
}
