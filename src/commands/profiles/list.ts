import { readConfig } from '../../lib/auth/credentials/profiles.ts';
import { BaseCommand } from '../../lib/cli/command.ts';
import { vaultWords } from '../../lib/cli/output/credential-sources.ts';
import { page, type Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class ProfilesList extends BaseCommand<typeof ProfilesList> {
  static override summary = 'list the profiles that are signed in';
  static override description =
    'Reads no secret. The active profile is used unless a flag, a variable or a pin names another one; see whoami.';
  static override examples = [
    '<%= config.bin %> profiles list',
    `<%= config.bin %> profiles list --json | jq -r '.data[] | select(.active).name'`,
  ];
  static override recorded: Recording[] = [{}];

  async run(): Promise<Result> {
    const folder = this.context.paths.config;
    const { active, profiles } = readConfig(folder);
    const data = profiles.map((profile) => ({
      // `id` is what --quiet prints.
      id: profile.name,
      name: profile.name,
      active: profile.name === active,
      provider: profile.provider,
      environment: profile.environment,
      base: profile.base,
      token_url: profile.tokenUrl ?? null,
      mode: profile.mode,
      client_id: profile.clientId ?? null,
      scopes: profile.scopes ?? null,
      secret_in: vaultWords(profile.store, folder),
    }));
    const columns = [
      { path: 'name' },
      { path: 'active' },
      { path: 'provider' },
      { path: 'environment' },
      { path: 'client_id', title: 'client id' },
      { path: 'base' },
    ];
    return page({ data }, columns, 'no profiles yet; create one: credicorp login');
  }
}
