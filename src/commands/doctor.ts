import { BaseCommand } from '../lib/cli/command.ts';
import { colourOf, type Paint, plainLine } from '../lib/cli/output/terminal-text.ts';
import type { Check } from '../lib/cli/doctor/checks.ts';
import { STATUS } from '../lib/cli/explain.ts';
import { withSpinner } from '../lib/cli/output/status-line.ts';
import { object, type Result } from '../lib/cli/result.ts';
import type { Recording } from '../lib/cli/manifest.ts';

export default class Doctor extends BaseCommand<typeof Doctor> {
  static override summary = 'check this machine and the connection to the API, and explain how to fix problems';
  static override description = `Checks Node, configuration, write permissions, store, keychain (with a test entry that is removed again), ports, proxy variables, DNS, TLS, clock, a new token and the keys it is signed with. Ends with 9 when something is broken, but not for a warning.`;
  static override examples = [
    '<%= config.bin %> doctor',
    `<%= config.bin %> doctor --json | jq -r '.checks[] | select(.state=="broken").next'`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ stage: 'end', status: 'any' }];

  async run(): Promise<Result> {
    const session = await this.session();
    const { runChecks } = await import('../lib/cli/doctor/checks.ts');
    const checks = await withSpinner(this.context, 'checking', runChecks(this.context, session));
    const broken = checks.filter(({ state }) => state === 'broken');
    if (broken.length > 0) this.endWith(STATUS.unmet);
    const paint = await colourOf(this.context, this.context.stdout, this.view.color);
    const human = checks.map((check) => line(check, paint)).join('');
    const document = { ok: broken.length === 0, checks };
    if (this.context.stdout.isTTY === true) return object(document, { id: null, human });
    const columns = [{ path: 'name' }, { path: 'state' }, { path: 'detail' }, { path: 'next' }];
    return { kind: 'page', document, items: checks, columns, empty: '' };
  }
}

/** The word says how it stands; colour only repeats it. */
function line({ name, state, detail, next }: Check, paint: Paint): string {
  const tint = { ok: paint.good, warning: paint.warn, broken: paint.bad, skipped: paint.dim }[state];
  const cure = next === null ? '' : `\n${' '.repeat(24)}${plainLine(next)}`;
  return `${tint(state.padEnd(8))} ${name.padEnd(14)} ${plainLine(detail)}${cure}\n`;
}
