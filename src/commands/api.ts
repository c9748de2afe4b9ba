import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../lib/cli/api-command.ts';
import { apiCall, apiResult, callOnce, everyItem } from '../lib/cli/requests/raw-api-call.ts';
import type { View } from '../lib/cli/output/write.ts';
import { withSpinner } from '../lib/cli/output/status-line.ts';
import { type Result, stream } from '../lib/cli/result.ts';
import { usage } from '../lib/failure.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Api extends WriteCommand<typeof Api> {
  static override summary = "call any path of the API with the profile's credentials";
  static override description = `Takes paths on the profile's own host only. Fields of a GET go into the query, those of a write into a JSON body: -f takes the value as text, -F as
JSON (numbers, true, false, null, lists, objects). A dot in a key makes a nested object. A write has an idempotency key, and asks first on live.`;
  static override examples = [
    '<%= config.bin %> api GET /partner/v1/applications -f limit=5',
    `<%= config.bin %> api GET /partner/v1/applications --paginate | jq -r .id`,
    '<%= config.bin %> api POST /partner/v1/payments/links -f reference=INV-5512 -F amount=45000 --json',
  ];
  static override recorded: Recording[] = [
    { args: 'GET /partner/v1/applications/{application}', after: 'apps submit' },
    { args: 'POST /_sandbox/applications/{application}/fund', after: 'decisions refresh' },
  ];
  static override args = {
    method: Args.string({ ignoreStdin: true, required: true, description: 'GET, HEAD, POST, PUT, PATCH or DELETE' }),
    path: Args.string({ ignoreStdin: true, required: true, description: 'path below the base: /partner/v1/…' }),
  };
  static override flags = {
    'raw-field': Flags.string({
      char: 'f',
      helpValue: '<key=value>',
      summary: 'a field, its value as text',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'typed-field': Flags.string({
      char: 'F',
      helpValue: '<key=value>',
      summary: 'a field, its value as JSON; numbers keep their digits',
      multiple: true,
      multipleNonGreedy: true,
    }),
    input: Flags.string({ helpValue: '<file>', summary: 'send this file as the body, unchanged; - for stdin' }),
    header: Flags.string({
      char: 'H',
      helpValue: '<name: value>',
      summary: 'an additional header',
      multiple: true,
      multipleNonGreedy: true,
    }),
    paginate: Flags.boolean({ summary: 'all pages of a list, one JSON item per line' }),
    include: Flags.boolean({ char: 'i', summary: 'show status and headers before the body', exclusive: ['paginate'] }),
    merchant: Flags.string({ helpValue: '<id>', summary: 'merchant of the call (AcountPay)' }),
  };

  async run(): Promise<Result> {
    const { args, flags } = this;
    const session = await this.session();
    const { identity } = session;
    const input = {
      ...{ method: args.method, path: args.path, input: flags.input ?? null, merchant: flags.merchant ?? null },
      ...{ fields: flags['raw-field'] ?? [], typed: flags['typed-field'] ?? [], headers: flags.header ?? [] },
    };
    const key = flags['idempotency-key'];
    const call = { ...(await apiCall(this.context, input, identity.provider)), signal: this.context.signal };
    const keyed = key === undefined ? call : { ...call, idempotencyKey: key };
    const reads = call.method === 'GET' || call.method === 'HEAD';
    if (key !== undefined && !identity.provider.idempotency)
      throw usage(`${identity.provider.title} has no idempotency keys`, { param: '--idempotency-key' });
    if (flags['dry-run'])
      return (await import('../lib/cli/requests/dry-run.ts')).plannedCall(identity, {
        idempotencyKey: this.context.uuid(),
        ...keyed,
      });
    if (!reads) await this.confirmLive(`${call.method} ${call.path}`);
    await this.markLive();
    const client = await this.client();
    if (flags.paginate) {
      if (!reads) throw usage('--paginate only works with GET', { param: '--paginate' });
      return stream(everyItem(client, call), []);
    }
    return apiResult(
      await withSpinner(this.context, 'waiting for the API', callOnce(client, keyed, identity.provider)),
      flags.include,
    );
  }

  /** Pages of a shape that is not known are JSON, a line for each item. */
  protected override get view(): View {
    const view = super.view;
    const lines = this.flags.paginate && view.field === null && !view.quiet;
    return lines ? { ...view, json: true } : view;
  }
}
