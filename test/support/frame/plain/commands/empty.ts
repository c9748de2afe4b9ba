import { Command } from '@oclif/core/command';

export default class Empty extends Command {
  static override enableJsonFlag = true;

  async run(): Promise<unknown> {
    await this.parse(Empty);
    this.logToStderr('a note for people');
    return 0;
  }
}
