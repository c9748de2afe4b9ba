import * as Flags from '@oclif/core/flags';
import type { Source } from '../lib/auth/identity.ts';
import { vaultPath } from '../lib/auth/vault.ts';
import { ApiCommand } from '../lib/cli/api-command.ts';
import { object, type Result } from '../lib/cli/result.ts';
import type { Session } from '../lib/cli/session.ts';

export default class Whoami extends ApiCommand<typeof Whoami> {
  static override summary = 'show who you are, where each value came from, and where each secret lives';
  static override description =
    'Reads nothing from the keychain and sends nothing, unless --check asks to prove the credential now.';
  static override examples = ['<%= config.bin %> whoami', '<%= config.bin %> whoami --check --field environment'];
  static override flags = { check: Flags.boolean({ summary: 'prove the credential now: get a token' }) };

  async run(): Promise<Result> {
    const session = await this.session();
    const { identity } = session;
    const { profile, clientId, scopes, tokenUrl } = identity;
    const checked = this.flags.check ? await session.currentToken() : null;
    const document = {
      profile: profile?.value ?? null,
      environment: identity.environment.value,
      provider: identity.provider.name,
      base: identity.base.value,
      token_url: tokenUrl?.value ?? null,
      mode: identity.mode,
      client_id: clientId?.value ?? null,
      scopes: scopes.value.length === 0 ? 'all granted' : scopes.value.join(' '),
      ...(this.flags.check
        ? { checked: true, granted: checked?.granted ?? null, token_expires_at: isoOrNull(checked?.expiresAt) }
        : {}),
      secret_in: secretPlace(session, this.context.paths.config),
      token_in: identity.mode === 'secret_key' ? null : place(identity.vault, this.context.paths.config),
      sources: {
        profile: profile ? sourceText(profile.source) : null,
        environment: sourceText(identity.environment.source),
        base: sourceText(identity.base.source),
        token_url: tokenUrl ? sourceText(tokenUrl.source) : null,
        client_id: clientId ? sourceText(clientId.source) : null,
        scopes: sourceText(scopes.source),
      },
    };
    return object(document, { id: profile?.value ?? null });
  }
}

function secretPlace(session: Session, folder: string): string {
  const { secret } = session.identity;
  if (secret.where === 'variable') return `environment variable ${secret.name}`;
  if (secret.where === 'built_in') return "built in: the embedded sandbox's own, known to everybody";
  return place(secret.store, folder);
}

function place(kind: string, folder: string): string {
  if (kind === 'os') return 'the keychain of this system, under credicorp-cli';
  if (kind === 'file') return `encrypted file ${vaultPath('file', folder)}`;
  if (kind === 'local') return `file ${vaultPath('local', folder)}: it opens nothing but the embedded sandbox`;
  return 'memory: it ends with the command';
}

function sourceText(source: Source): string {
  switch (source.from) {
    case 'flag':
      return `flag ${source.name}`;
    case 'variable':
      return `environment variable ${source.name}`;
    case 'pin':
      return `directory pin ${source.name}`;
    case 'profile':
      return `profile ${source.name}`;
    case 'sandbox':
      return 'the running sandbox';
    case 'default':
      return 'default';
  }
}

function isoOrNull(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}
