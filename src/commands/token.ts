import { ApiCommand } from '../lib/cli/api-command.ts';
import { type Result, text } from '../lib/cli/result.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Token extends ApiCommand<typeof Token> {
  static override summary = 'print a valid access token, for curl';
  static override description =
    'Prints the cached token while it is valid, else a new one. With a secret key, prints the key itself, which is the bearer.';
  static override examples = [
    '<%= config.bin %> token',
    'curl -H "Authorization: Bearer $(<%= config.bin %> token)" http://127.0.0.1:4010/partner/v1/applications',
  ];
  static override recorded: Recording[] = [{}];

  async run(): Promise<Result> {
    const session = await this.session();
    const token = await session.token({ refused: null });
    const entry = await session.currentToken();
    const end = entry === null ? {} : { scope: entry.granted, expires_at: new Date(entry.expiresAt).toISOString() };
    return text(token, { access_token: token, token_type: 'Bearer', ...end });
  }
}
