import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../lib/cli/command.ts';
import { serve } from '../lib/cli/mcp/server.ts';
import { addFlagFacts, type CommandEntry } from '../lib/cli/manifest.ts';
import { sameIdentityAs } from '../lib/cli/mcp/same-identity.ts';
import { argvOf, callTool, toolsOf } from '../lib/cli/mcp/tools.ts';
import { optionalIdentity } from '../lib/cli/optional-identity.ts';
import { nothing, type Result } from '../lib/cli/result.ts';
import { linesOf } from '../lib/cli/stdin.ts';

const INSTRUCTIONS = `Tools of the Credicorp Partner API, a UK lender: applications, decisions, payment links, identity checks, webhooks, and the log of calls.
Amounts named amount are pounds, amount-pence are pence. whoami says which account and environment is in use; sandbox_companies lists
company numbers to try. An error names what to do next in error.next.`;

export default class Mcp extends BaseCommand<typeof Mcp> {
  static override summary = 'serve the commands as tools for agents (Model Context Protocol, on stdin and stdout)';
  static override description = `An agent's program starts it: command credicorp, argument mcp. It uses the active profile, or --profile, as they are when it starts: a later change is refused until it is restarted. No tool prints a secret, opens a port, runs a program
or reads your files; on live every write is refused unless you start the server with --yes. Ends when its input ends, or on Ctrl-C.`;
  static override examples = [
    '<%= config.bin %> mcp --profile local < /dev/null',
    `echo '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | <%= config.bin %> mcp | jq -r '.result.tools[].name'`,
  ];
  // Its output is the protocol's, not a document of ours.
  static override recorded = [];
  static override endsOnSignal = true;
  static override flags = {
    yes: Flags.boolean({ char: 'y', summary: 'let tools write on live without asking' }),
  };

  async run(): Promise<Result> {
    const { context } = this;
    const tools = toolsOf(await this.commands());
    const settled = this.settled();
    const fixed = { ...context, assertSameIdentity: sameIdentityAs(optionalIdentity(await this.session())) };
    if (context.stdin.isTTY === true) this.note('waiting for a client on stdin; Ctrl-C ends');
    await serve(linesOf(context.stdin, context.signal), {
      version: this.config.version,
      instructions: INSTRUCTIONS,
      tools: [...tools.values()].map(({ tool }) => tool),
      send: (line) => void context.stdout.write(`${line}\n`),
      call: (name, given, signal) => {
        const command = tools.get(name)?.command;
        const argv = command === undefined ? `there is no tool ${name}` : argvOf(command, given);
        if (typeof argv === 'string')
          return Promise.resolve({ content: [{ type: 'text', text: argv }], isError: true });
        const yes = this.flags.yes && command?.flags['yes'] !== undefined ? ['--yes'] : [];
        return callTool([...settled, ...yes, ...argv], fixed, signal);
      },
    });
    return nothing;
  }

  /** From the manifest; from source, oclif's cache lacks what flags say for agents. */
  private async commands(): Promise<readonly CommandEntry[]> {
    const { commands } = this.config;
    if (this.context.fromSource) for (const one of commands) addFlagFacts(one, await one.load());
    return commands;
  }

  /** What was settled when the server was started, for every command it runs. */
  private settled(): string[] {
    const { profile, timeout, 'api-base': base, 'max-retries': retries } = this.flags;
    const given = { profile, 'api-base': base, 'max-retries': retries, timeout: timeout && `${timeout}ms` };
    return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  }
}
