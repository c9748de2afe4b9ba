import { appendFileSync } from 'node:fs';
import { Command } from '@oclif/core/command';
import * as Flags from '@oclif/core/flags';

export default class Wait extends Command {
  static override flags = { tidy: Flags.string({ required: true }) };
  #tidy = '';

  async run(): Promise<void> {
    const { flags } = await this.parse(Wait);
    this.#tidy = flags.tidy;
    process.stdout.write('ready\n');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  }

  override async finally(): Promise<void> {
    appendFileSync(this.#tidy, 'tidied\n');
  }
}
