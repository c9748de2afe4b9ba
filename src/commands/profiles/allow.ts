import { allowPin, findPin } from '../../lib/auth/credentials/directory-pin.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class ProfilesAllow extends BaseCommand<typeof ProfilesAllow> {
  static override summary = "allow this folder's .credicorp.json, with its present contents, to choose live";
  static override description = `A pin may come with somebody else's repository, or be written by an agent: one that would make live of sandbox, or that another user of this machine could have written, counts
only after this. A change of the file needs it again; --yes does not replace it. profiles pin allows what it writes.`;
  static override examples = [
    '<%= config.bin %> profiles allow',
    '<%= config.bin %> profiles allow --json | jq -r .sha256',
  ];
  static override recorded: Recording[] = [{ after: 'profiles pin' }];

  async run(): Promise<Result> {
    const { cwd, home, paths } = this.context;
    const pin = findPin(cwd, home, { state: null, evenOfOthers: true });
    if (pin === null) {
      throw usage('there is no .credicorp.json in this folder or above it', {
        code: 'no_pin',
        next: 'write one: credicorp profiles pin',
      });
    }
    allowPin(pin, paths.state);
    const { path, profile = null, base = null, tokenUrl = null, hash } = pin;
    this.note(`${path} is allowed as it is now`);
    return object({ path, profile, base, token_url: tokenUrl, sha256: hash }, { id: path });
  }
}
