import { Command } from '@oclif/core/command';
import { CLIError } from '@oclif/core/errors';
import * as Flags from '@oclif/core/flags';

export default class Refuse extends Command {
  static override enableJsonFlag = true;
  static override flags = { kind: Flags.string() };
  token = 'sk_live_PLANTEDINAFIELD0001';

  async run(): Promise<unknown> {
    await this.parse(Refuse);
    throw new CLIError('no', { exit: 4 });
  }
}
