import * as Flags from '@oclif/core/flags';
import { decodeToken } from '../../lib/auth/token/introspect.ts';
import { ApiCommand } from '../../lib/cli/api-command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { tokenFromStdinOrSession } from '../../lib/cli/stdin.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class TokenShow extends ApiCommand<typeof TokenShow> {
  static override summary = 'decode an access token without verifying it';
  static override description =
    'Shows header and claims. The signature is not shown, so the output cannot be used as a token.';
  static override examples = [
    '<%= config.bin %> token show',
    '<%= config.bin %> token | <%= config.bin %> token show --token-stdin --field claims.exp',
  ];
  static override recorded: Recording[] = [{}];
  static override flags = { 'token-stdin': Flags.boolean({ summary: 'read the token from stdin instead' }) };

  async run(): Promise<Result> {
    const { 'token-stdin': fromStdin } = this.flags;
    const token = await tokenFromStdinOrSession(this.context, await this.session(), fromStdin);
    return object(decodeToken(token), { id: null });
  }
}
