import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { usage } from '../lib/failure.ts';
import { BaseCommand } from '../lib/cli/command.ts';
import { colourOf } from '../lib/cli/output/terminal-text.ts';
import { tour, type TourReport } from '../lib/cli/tour/tour.ts';
import { object, type Result } from '../lib/cli/result.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Demo extends BaseCommand<typeof Demo> {
  static override summary = 'run a guided tour on the embedded sandbox: no account needed, nothing left behind';
  static override description = `Runs the real commands one after another, with a temporary configuration: starts the sandbox, signs in, creates an application, waits for the decision,
creates a payment link, and shows the signed webhooks as they arrive at a small local app.`;
  static override examples = ['<%= config.bin %> demo', '<%= config.bin %> demo --json | jq .decision'];
  static override recorded: Recording[] = [{ stage: 'offline' }];

  async run(): Promise<Result> {
    const { temporaryFolder } = this.context;
    const folder = await mkdtemp(join(temporaryFolder, 'credicorp-demo-')).catch((error: unknown) => {
      throw usage(
        `no folder can be created in ${temporaryFolder}`,
        { code: 'not_writable', next: 'set TMPDIR to another temporary folder' },
        error,
      );
    });
    try {
      const paint = await colourOf(this.context, this.context.stderr, this.view.color);
      const report = await tour(this.context, folder, (line) => this.note(line), paint);
      // Run by npm in a clone, the program is not on the path, and npx finds it.
      const by = this.context.env['npm_lifecycle_event'] === undefined ? '' : 'npx ';
      this.note(summary(report, by));
      return object(report, { id: report.application_id, human: '' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function summary(report: TourReport, by: string): string {
  return `
Done in ${(report.took_ms / 1000).toFixed(1)} s. On a sandbox of its own, the tour
  created application ${report.application_id}, which was ${report.decision}
  made payment link   ${report.payment_link_url}
  verified and forwarded ${report.webhooks.length} signed webhooks: ${[...new Set(report.webhooks)].join(', ')}
  wrote ${report.calls} calls into its log; everything it started is stopped again

Try next:
  ${by}credicorp sandbox start --background
  ${by}credicorp apps create --company 16093826
  ${by}credicorp webhooks listen --forward localhost:3000/hook
`;
}
