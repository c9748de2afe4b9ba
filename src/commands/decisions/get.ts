import * as Flags from '@oclif/core/flags';
import { ApiCommand } from '../../lib/cli/api-command.ts';
import { duration, id } from '../../lib/cli/flags.ts';
import { progress } from '../../lib/cli/progress.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { STATUS } from '../../lib/cli/explain.ts';
import { Failure } from '../../lib/failure.ts';
import type { Decision } from '../../lib/contract/resources.ts';
import type { Answer } from '../../lib/api/answers.ts';

export default class DecisionsGet extends ApiCommand<typeof DecisionsGet> {
  static override summary = 'show the decision on an application';
  static override description = `A declined decision is a result: status 0. With --exit-status the status is 9 unless the outcome is approved.
--wait polls until there is a final outcome (a referral is not final); when the time runs out the status is 8.`;
  static override examples = [
    '<%= config.bin %> decisions get app_8Kd2c9Qm --wait',
    'if <%= config.bin %> decisions get app_8Kd2c9Qm --wait=5m --exit-status --quiet; then echo approved; fi',
  ];
  static override args = { id: id({ required: true, description: 'decision id or application id' }) };
  static override bareFlags = { wait: '2m' };
  static override flags = {
    wait: duration({ summary: 'wait for a final outcome; --wait alone means --wait=2m' }),
    'exit-status': Flags.boolean({ summary: 'end with 9 unless the outcome is approved' }),
  };

  async run(): Promise<Result> {
    const answer = this.flags.wait === undefined ? await this.look() : await this.wait(this.flags.wait);
    if (this.flags['exit-status'] && answer.data.outcome !== 'approved') this.endWith(STATUS.unmet);
    return object(answer.json);
  }

  private async look(): Promise<Answer<Decision>> {
    const [client, { lookAtDecision }] = await Promise.all([this.client(), import('../../lib/api/wait.ts')]);
    const seen = await lookAtDecision(client, this.args.id, this.context.signal);
    if ('done' in seen) return seen.done;
    throw new Failure('refused', `there is no decision on ${this.args.id} yet`, {
      status: 409,
      code: 'decision_not_ready',
      next: `wait for it: credicorp decisions get ${this.args.id} --wait`,
    });
  }

  private async wait(timeoutMs: number): Promise<Answer<Decision>> {
    const [client, { waitForDecision }] = await Promise.all([this.client(), import('../../lib/api/wait.ts')]);
    const spinner = progress(this.context, 'waiting for the decision');
    try {
      return await waitForDecision(client, this.args.id, {
        timeoutMs,
        now: this.context.now,
        signal: this.context.signal,
        onState: (state) => spinner.say(`waiting for the decision: ${state}`),
      });
    } finally {
      spinner.stop();
    }
  }
}
