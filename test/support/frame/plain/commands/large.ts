import { Command } from '@oclif/core/command';

export default class Large extends Command {
  async run(): Promise<void> {
    await this.parse(Large);
    process.stdout.write(`${'x'.repeat(99)}\n`.repeat(3000));
    this.exit(0);
  }
}
