import * as Flags from '@oclif/core/flags';
import { ApiCommand } from '../../lib/cli/api-command.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { serverNow } from '../../lib/cli/sign-in/proof.ts';
import { tokenFromStdinOrSession } from '../../lib/cli/stdin.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class TokenVerify extends ApiCommand<typeof TokenVerify> {
  static override summary = "verify an access token against the server's published keys";
  static override description = `Checks signature (ES256, RS256), issuer, audience and time on this machine. If the key is not known, the keys are fetched once more, because keys rotate. Ends with 7 if the signature is not genuine, and with 4 if the token is
genuine but not valid (expired, or for another API).`;
  static override examples = [
    '<%= config.bin %> token verify',
    '<%= config.bin %> token | <%= config.bin %> token verify --token-stdin --field claims.client_id',
  ];
  static override recorded: Recording[] = [{}];
  static override flags = { 'token-stdin': Flags.boolean({ summary: 'read the token from stdin instead' }) };

  async run(): Promise<Result> {
    const session = await this.session();
    const { identity } = session;
    const token = await tokenFromStdinOrSession(this.context, session, this.flags['token-stdin']);
    // Loads jose, which only this needs.
    const { tokenVerifier, verdictFailure } = await import('../../lib/auth/token/verify-token.ts');
    const verifier = tokenVerifier({
      identity,
      send: await session.sendWithoutCredential(identity.environment.value),
      now: await serverNow(session, this.context.now()),
      notice: (text) => this.note(`note: ${text}`),
      signal: this.context.signal,
    });
    const verdict = await verifier.verify(token);
    if (!verdict.valid) throw verdictFailure(verdict);
    const { header, claims, keysFrom } = verdict;
    return object({ valid: true, keys_from: keysFrom, header, claims }, { id: null });
  }
}
