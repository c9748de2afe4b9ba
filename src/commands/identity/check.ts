import * as Flags from '@oclif/core/flags';
import { DEFAULT_WAIT, WriteCommand } from '../../lib/cli/api-command.ts';
import * as Typed from '../../lib/cli/flags.ts';
import { askMissing } from '../../lib/cli/ask/prompt.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { Failure } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

const text = (helpValue: string, summary: string, helpGroup = 'PERSON') =>
  Flags.string({ helpValue, summary, helpGroup });

export default class IdentityCheck extends WriteCommand<typeof IdentityCheck> {
  static override summary = 'check the identity of a person';
  static override description = `Needs a name, and a date of birth or an address. A failed check is a result: status 0.
--wait ends with the finished check, and with status 8 when the time runs out.`;
  static override examples = [
    '<%= config.bin %> identity check --first-name Ada --last-name Sample --date-of-birth 1990-01-31 --wait',
    "test passed = $(<%= config.bin %> identity check --first-name Ada --last-name Sample --address-line1 '1 High Street' --address-postcode 'SW1A 1AA' --wait --field status)",
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [
    { args: '--first-name A --last-name B --date-of-birth 1990-01-01', gives: { check: 'id' } },
  ];
  static override bareFlags = { wait: DEFAULT_WAIT };
  static override flags = {
    'first-name': text('<name>', 'first name'),
    'last-name': text('<name>', 'last name'),
    'date-of-birth': Typed.date({ helpGroup: 'PERSON', summary: 'year, month and day: 1990-01-31' }),
    email: Typed.email({ helpGroup: 'PERSON', summary: 'e-mail address' }),
    'address-line1': text('<text>', 'house and street', 'ADDRESS'),
    'address-city': text('<text>', 'town or city', 'ADDRESS'),
    'address-postcode': text('<text>', 'postcode', 'ADDRESS'),
    'address-country': text('<text>', 'country', 'ADDRESS'),
    company: Typed.companyNumber({ summary: 'Companies House number of the company the person acts for' }),
    application: Typed.applicationFlag({ summary: 'the application this check belongs to' }),
    reference: Flags.string({ helpValue: '<text>', summary: 'your own reference' }),
    ...Typed.metadataFlags,
    wait: Typed.duration({ summary: `wait for the result; --wait alone means --wait=${DEFAULT_WAIT}` }),
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const body = checkBody({ ...flags, ...(await this.person()) });
    const planned = await this.planned('identity.create', { body });
    if (planned) return planned;
    const started = await this.sent('identity.create', { body }, 'start an identity check');
    if (flags.wait === undefined) return object(started.json);
    const { id } = started.data;
    if (!id) throw new Failure('unavailable', 'the identity check has no id, so --wait cannot follow it');
    const awaited = await this.awaited(`identity check ${id}`, id, flags.wait);
    const { waitForStatus } = await import('../../lib/cli/wait-for-status.ts');
    const finished = await waitForStatus(awaited, ['pending'], () => this.call('identity.get', { id }));
    return object(finished.json);
  }

  private async person(): Promise<{ 'first-name': string; 'last-name': string; 'date-of-birth': string | undefined }> {
    const { flags } = this;
    const ask = (flag: string, parser: typeof Name, message: string, example: string): Promise<string> =>
      askMissing(this.asking, { flag, parser, message, example });
    const first = flags['first-name'] ?? (await ask('--first-name', Name, 'First name', '--first-name Ada'));
    const last = flags['last-name'] ?? (await ask('--last-name', Name, 'Last name', '--last-name Sample'));
    const addressed = Object.entries(flags).some(([name, value]) => name.startsWith('address-') && value !== undefined);
    // A check needs one of the two. Where nobody can be asked, the server says so.
    const born =
      flags['date-of-birth'] ??
      (this.mayAsk && !addressed
        ? await ask('--date-of-birth', Typed.date(), 'Date of birth, as 1990-01-31', '--date-of-birth 1990-01-31')
        : undefined);
    return { 'first-name': first, 'last-name': last, 'date-of-birth': born };
  }
}

const Name = Flags.string();

interface CheckValues {
  'first-name': string;
  'last-name': string;
  'date-of-birth'?: string | undefined;
  'address-line1'?: string | undefined;
  'address-city'?: string | undefined;
  'address-postcode'?: string | undefined;
  'address-country'?: string | undefined;
  email?: string | undefined;
  company?: string | undefined;
  application?: string | undefined;
  reference?: string | undefined;
  metadata?: readonly Typed.Pair[] | undefined;
}

/** The request (partner-api.md#identity-checks). */
function checkBody(values: CheckValues): Record<string, unknown> {
  return Typed.withoutUndefined({
    subject: Typed.withoutUndefined({
      first_name: values['first-name'],
      last_name: values['last-name'],
      date_of_birth: values['date-of-birth'],
      address: Typed.objectOrNothing({
        line1: values['address-line1'],
        city: values['address-city'],
        postcode: values['address-postcode'],
        country: values['address-country'],
      }),
      email: values.email,
      company_number: values.company,
    }),
    application_id: values.application,
    reference: values.reference,
    metadata: Typed.metadataOf(values.metadata),
  });
}
