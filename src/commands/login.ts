import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../lib/cli/command.ts';
import { DOCUMENTED_VALUES } from '../lib/cli/flags.ts';
import { object, type Result } from '../lib/cli/result.ts';
import { login, type LoginRequest } from '../lib/cli/sign-in/login.ts';
import { readSecretFromStdin } from '../lib/cli/stdin.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Login extends BaseCommand<typeof Login> {
  static override summary = 'sign in: check a credential and store it in the system keychain';
  static override description = `Asks the API for a token first; only a credential that works is stored. The secret comes from a hidden prompt, from stdin, or from CC_CLIENT_SECRET or CC_SECRET_KEY;
there is no flag that takes one. --env local signs in to the embedded sandbox and needs no keychain.
With --store file, secrets go to an encrypted file. Its key comes from your passphrase (asked for, or CREDICORP_STORE_PASSPHRASE) by scrypt; anybody who has the file and the passphrase has the secrets, so a passphrase in the environment is only as safe as that environment.`;
  static override examples = [
    '<%= config.bin %> login',
    'pass show credicorp | <%= config.bin %> login --env sandbox --client-id cid_sbx_4Hd82Kq --secret-stdin',
  ];
  static override recorded: Recording[] = [
    { args: '--env local --client-id cid_sbx_local --secret-stdin', stage: 'start', stdin: 'csk_sbx_local\n' },
  ];
  static override flags = {
    env: Flags.option({
      options: ['sandbox', 'live', 'local'] as const,
      summary: 'environment the credential is for',
    })(),
    'client-id': Flags.string({ helpValue: '<id>', summary: 'OAuth client id' }),
    'secret-stdin': Flags.boolean({ summary: 'read the client secret from stdin', exclusive: ['key-stdin'] }),
    key: Flags.boolean({ summary: 'ask for a secret key (sk_…) instead of a client id and secret' }),
    'key-stdin': Flags.boolean({ summary: 'read a secret key (sk_…) from stdin; it is sent as the bearer' }),
    scopes: Flags.string({ helpValue: '<a,b>', summary: 'limit the token to these scopes [default: all granted]' }),
    provider: Flags.string({
      completes: DOCUMENTED_VALUES.provider,
      helpValue: '<name>',
      summary: 'credicorp, acountpay, acountpay-v2 or one of your own [default: credicorp]',
    }),
    'token-url': Flags.string({ helpValue: '<url>', summary: 'token URL, if discovery does not give it' }),
    store: Flags.option({
      options: ['os', 'file'] as const,
      summary: 'os keychain or encrypted file [default: os]',
    })(),
    'keep-old': Flags.boolean({
      summary: 'when the profile moves to another store, keep its secrets in the old one too',
    }),
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const request: LoginRequest = {
      name: flags.profile ?? null,
      environment: flags.env ?? null,
      clientId: flags['client-id'] ?? null,
      scopes: flags.scopes?.split(/[\s,]+/).filter((scope) => scope !== '') ?? [],
      provider: flags.provider ?? 'credicorp',
      base: flags['api-base'] ?? null,
      tokenUrl: flags['token-url'] ?? null,
      store: flags.store ?? null,
      secret: flags['secret-stdin'] || flags['key-stdin'] ? await readSecretFromStdin(this.context) : null,
      keepFormer: flags['keep-old'],
      secretKey: flags['key-stdin'] || flags.key,
      mayAsk: this.mayAsk && !flags['secret-stdin'] && !flags['key-stdin'],
    };
    const result = await login(this.context, this.sessionFlags, this.config.version, request, (session) =>
      this.adopt(session),
    );
    const secret = result.secret_in.startsWith('built in')
      ? 'its secret is built in'
      : `its secret is in ${result.secret_in}`;
    this.note(`signed in as profile ${result.profile}; ${secret}`);
    return object(result, { id: result.profile });
  }
}
