import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../lib/cli/command.ts';
import { colourOf } from '../../lib/cli/output/terminal-text.ts';
import { suggest } from '../../lib/cli/suggest.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { EXPLAINED, type ProblemPage, problemPage } from '../../lib/contract/problem-page.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class ErrorsExplain extends BaseCommand<typeof ErrorsExplain> {
  static override summary = 'explain an error code: what it means, whether to retry, what to change';
  static override description = 'Works offline, for every documented code.';
  static override examples = [
    '<%= config.bin %> errors explain term_out_of_range',
    '<%= config.bin %> errors explain rate_limit_exceeded --field retry',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: 'parameter_missing' }];
  static override args = {
    code: Args.string({
      completes: 'error codes',
      required: true,
      ignoreStdin: true,
      description: 'error.code of the answer',
    }),
  };

  async run(): Promise<Result> {
    const code = this.args.code.trim().toLowerCase();
    const page = problemPage(code);
    if (page === null) {
      const like = suggest(code, EXPLAINED);
      throw usage(`unknown error code ${JSON.stringify(code.slice(0, 60))}`, {
        code: 'unknown_code',
        next: like
          ? `did you mean: credicorp errors explain ${like}`
          : 'go by its type, else by its status: 4xx correct the call, 429 wait, 5xx retry with the same idempotency key',
      });
    }
    const paint = await colourOf(this.context, this.context.stdout, this.view.color);
    return object(page, { id: code, human: pageText(page, paint) });
  }
}

function pageText(page: ProblemPage, paint: { bold(text: string): string; dim(text: string): string }): string {
  const { code, status, type, meaning, retry, change, command, doc_url: docUrl, at_token_endpoint: token } = page;
  const rows: [string, string][] = [
    ['means', meaning],
    ['retry?', retry],
    ['change', change],
    ['helps', command],
    ['online', docUrl],
  ];
  if (token) rows.push(['at the token endpoint', `${token.meaning}; ${token.change}`]);
  const lines = rows.map(([name, text]) => `  ${paint.dim(name.padEnd(8))}  ${text}`);
  return `${paint.bold(code)}  ${[status.join(' or '), type].filter(Boolean).join(' ')}\n${lines.join('\n')}\n`;
}
