import * as Flags from '@oclif/core/flags';
import { ApiCommand, DEFAULT_WAIT } from '../../lib/cli/api-command.ts';
import { DECISION_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import { STATUS } from '../../lib/cli/explain.ts';
import { duration, id, notForAgents } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { Failure } from '../../lib/failure.ts';
import type { Decision } from '../../lib/contract/resources.ts';
import type { Answer } from '../../lib/api/answers.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class DecisionsGet extends ApiCommand<typeof DecisionsGet> {
  static override summary = 'show the decision on an application';
  static override description = `A declined decision is a result: status 0. With --exit-status the status is 9 unless the outcome is approved.
--wait waits until there is a final outcome (a referral is not final), without delay if a running listener receives it; when the time runs out the status is 8.
With - in place of the id, ids are read from stdin: one per line, or JSON objects with an id.`;
  static override examples = [
    '<%= config.bin %> decisions get app_8Kd2c9Qm --wait',
    'if <%= config.bin %> decisions get app_8Kd2c9Qm --wait=5m --exit-status --quiet; then echo approved; fi',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{application} --wait', after: 'sandbox clock advance' }];
  static override args = {
    id: id({
      completes: { ids: ['app_', 'dec_'] },
      required: true,
      description: 'decision id or application id, or - for ids on stdin',
    }),
  };
  static override bareFlags = { wait: DEFAULT_WAIT };
  static override flags = {
    wait: duration({ summary: `wait for a final outcome; --wait alone means --wait=${DEFAULT_WAIT}` }),
    'exit-status': notForAgents(Flags.boolean({ summary: 'exit with status 9 unless the outcome is approved' })),
  };

  async run(): Promise<Result> {
    return this.each(this.args.id, DECISION_COLUMNS, async (id) => {
      const answer = await (this.flags.wait === undefined ? this.look(id) : this.wait(id, this.flags.wait));
      if (this.flags['exit-status'] && answer.data.outcome !== 'approved') this.endWith(STATUS.unmet);
      return answer;
    });
  }

  private async look(id: string): Promise<Answer<Decision>> {
    const [client, { lookAtDecision }] = await Promise.all([this.client(), import('../../lib/api/wait.ts')]);
    const seen = await lookAtDecision(client, id, this.context.signal);
    if ('done' in seen) return seen.done;
    throw new Failure('refused', `there is no decision on ${id} yet`, {
      // An unfinished decision comes as a 409 or as a 200 (partner-api.md#decisions).
      ...(seen.last === null ? { status: 409 } : { last: seen.last }),
      code: 'decision_not_ready',
      next: `wait for it: credicorp decisions get ${id} --wait`,
    });
  }

  private async wait(id: string, timeoutMs: number): Promise<Answer<Decision>> {
    const [client, { waitForDecision }, { waitWithSpinner }] = await Promise.all([
      this.client(),
      import('../../lib/api/wait.ts'),
      import('../../lib/cli/wait-for-status.ts'),
    ]);
    const awaited = await this.awaited(`the decision on ${id}`, id, timeoutMs);
    return waitWithSpinner(awaited, (options) => waitForDecision(client, id, options));
  }
}
