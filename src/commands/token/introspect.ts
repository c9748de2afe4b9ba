import * as Flags from '@oclif/core/flags';
import { introspect } from '../../lib/auth/token/introspect.ts';
import { ApiCommand } from '../../lib/cli/api-command.ts';
import { withSpinner } from '../../lib/cli/output/status-line.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { tokenFromStdinOrSession } from '../../lib/cli/stdin.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class TokenIntrospect extends ApiCommand<typeof TokenIntrospect> {
  static override summary = 'ask the server whether an access token is active, and for which scopes';
  static override description = 'An expired, revoked or unknown token is "active": false, which is a result: status 0.';
  static override examples = [
    '<%= config.bin %> token introspect',
    '<%= config.bin %> token | <%= config.bin %> token introspect --token-stdin --field active',
  ];
  static override recorded: Recording[] = [{}];
  static override flags = { 'token-stdin': Flags.boolean({ summary: 'read the token from stdin instead' }) };

  async run(): Promise<Result> {
    const session = await this.session();
    const { identity } = session;
    const token = await tokenFromStdinOrSession(this.context, session, this.flags['token-stdin']);
    const answer = introspect(token, {
      identity,
      secret: await session.secret(),
      send: await session.sendWithoutCredential(identity.environment.value),
      notice: (text) => this.note(`note: ${text}`),
      signal: this.context.signal,
    });
    return object(await withSpinner(this.context, 'asking the server', answer), { id: null });
  }
}
