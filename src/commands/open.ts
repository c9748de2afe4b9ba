import * as Args from '@oclif/core/args';
import { ApiCommand } from '../lib/cli/api-command.ts';
import { openInBrowser } from '../lib/cli/system/browser.ts';
import { apiHost } from '../lib/cli/optional-identity.ts';
import { suggest } from '../lib/cli/suggest.ts';
import { type Result, text } from '../lib/cli/result.ts';
import { EXPLAINED, problemPage } from '../lib/contract/problem-page.ts';
import { Failure, usage } from '../lib/failure.ts';
import type { Recording } from '../lib/cli/manifest.ts';

const DOCS = 'https://dev.credicorp.co.uk/';
const STATUS_PAGE = 'https://status.credicorp.co.uk/';
const DASHBOARD = 'https://hub.credicorp.co.uk/';

export default class Open extends ApiCommand<typeof Open> {
  static override summary = 'print the URL of a page, and on a terminal open it in a browser';
  static override description = `docs, status, dashboard, error CODE (its entry in the errors reference), app ID (the applicant's form).`;
  static override examples = [
    '<%= config.bin %> open error term_out_of_range',
    '<%= config.bin %> open app app_8Kd2c9Qm --json | jq -r .url',
  ];
  static override recorded: Recording[] = [{ args: 'docs' }];
  static override args = {
    page: Args.string({
      required: true,
      ignoreStdin: true,
      options: ['docs', 'status', 'dashboard', 'error', 'app'],
      description: 'which page',
    }),
    of: Args.string({ ignoreStdin: true, description: 'the code or the id, for error and app' }),
  };

  async run(): Promise<Result> {
    const url = await this.address();
    const opened = await openInBrowser(this.context, url);
    return text(url, { url, opened });
  }

  private async address(): Promise<string> {
    const { page, of } = this.args;
    if ((page === 'error' || page === 'app') !== (of !== undefined)) {
      throw usage(
        of === undefined
          ? `open ${page} needs a ${page === 'app' ? 'application id' : 'code'}`
          : `open ${page} takes no further argument`,
        {
          next: 'write: credicorp open error CODE, or credicorp open app ID',
        },
      );
    }
    if (page === 'status') return STATUS_PAGE;
    if (page === 'dashboard') return this.dashboard();
    if (of === undefined) return DOCS;
    return page === 'error' ? errorAddress(of) : this.journey(of);
  }

  /** The dashboard; the embedded sandbox has its own page instead. */
  private async dashboard(): Promise<string> {
    const { base, environment } = apiHost(await this.session(), this.flags['api-base']);
    return environment === 'local' ? `${base}/` : DASHBOARD;
  }

  private async journey(id: string): Promise<string> {
    const { json } = await this.call('applications.get', { id });
    const url: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, 'handoff_url') : null;
    if (typeof url === 'string' && url !== '') return url;
    throw new Failure('unavailable', `application ${id} has no form to open`, {
      code: 'no_page',
      next: `look at it: credicorp apps get ${id}`,
    });
  }
}

function errorAddress(code: string): string {
  const page = problemPage(code.toLowerCase());
  if (page) return page.doc_url;
  const like = suggest(code.toLowerCase(), EXPLAINED);
  throw usage(`unknown error code ${JSON.stringify(code.slice(0, 60))}`, {
    code: 'unknown_code',
    next: like ? `did you mean: credicorp open error ${like}` : 'open the whole reference: credicorp open docs',
  });
}
