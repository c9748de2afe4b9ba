import * as Flags from '@oclif/core/flags';
import { findProfile, readConfig } from '../lib/auth/credentials/profiles.ts';
import { ApiCommand } from '../lib/cli/api-command.ts';
import { secretWords, sourceWords, vaultWords } from '../lib/cli/output/credential-sources.ts';
import { withSpinner } from '../lib/cli/output/status-line.ts';
import { object, type Result } from '../lib/cli/result.ts';
import type { Session } from '../lib/cli/session.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Whoami extends ApiCommand<typeof Whoami> {
  static override summary = 'show the account in use, where each value comes from, and where each secret is stored';
  static override description = 'Reads nothing from the keychain and sends nothing, unless --check is given.';
  static override examples = ['<%= config.bin %> whoami', '<%= config.bin %> whoami --check --field environment'];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '--check' }];
  static override flags = { check: Flags.boolean({ summary: 'check the credential now with a call to the API' }) };

  async run(): Promise<Result> {
    const session = await this.session();
    const { identity } = session;
    const { profile, clientId, scopes, tokenUrl } = identity;
    const document = {
      profile: profile?.value ?? null,
      environment: identity.environment.value,
      provider: identity.provider.name,
      base: identity.base.value,
      token_url: tokenUrl?.value ?? null,
      mode: identity.mode,
      client_id: clientId?.value ?? null,
      scopes: scopes.value.length === 0 ? 'all granted' : scopes.value.join(' '),
      ...(this.flags.check ? await this.checked(session) : {}),
      ...this.secretPlaces(session),
      sources: {
        profile: profile ? sourceWords(profile.source) : null,
        environment: sourceWords(identity.environment.source),
        base: sourceWords(identity.base.source),
        token_url: tokenUrl ? sourceWords(tokenUrl.source) : null,
        client_id: clientId ? sourceWords(clientId.source) : null,
        scopes: sourceWords(scopes.source),
      },
    };
    return object(document, { id: profile?.value ?? null });
  }

  private async checked(session: Session): Promise<Record<string, unknown>> {
    const { proveNow } = await import('../lib/cli/sign-in/proof.ts');
    const { by, token } = await withSpinner(this.context, 'proving the credential', proveNow(session));
    return {
      checked: by !== 'nothing',
      proven_by: by,
      granted: token?.granted ?? null,
      token_expires_at: token === null ? null : new Date(token.expiresAt).toISOString(),
    };
  }

  private secretPlaces({ identity }: Session): Record<string, unknown> {
    const folder = this.context.paths.config;
    const own = identity.profile === null ? null : findProfile(readConfig(folder), identity.profile.value);
    const kept = own?.keptIn?.map((store) => vaultWords(store, folder)) ?? [];
    return {
      secret_in: secretWords(identity, folder),
      token_in: identity.mode === 'oauth' ? vaultWords(identity.vault, folder) : null,
      webhook_secrets_in:
        identity.webhookSecret === null
          ? vaultWords(identity.vault, folder)
          : `environment variable ${identity.webhookSecret.name}`,
      ...(kept.length === 0 ? {} : { copies_in: kept }),
    };
  }
}
