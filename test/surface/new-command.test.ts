/** A new command is one new file: help, completion, agents and the recorded surface read all they need from its class. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { manifestOf } from '../../scripts/manifest.ts';
import { documents } from '../../scripts/surface-documents.ts';
import { readManifest } from '../../src/lib/cli/manifest.ts';
import { freshFolder } from '../support/folder.ts';
import { root as repository } from '../support/spawn.ts';
import { command } from '../support/world.ts';

const root = freshFolder();
const home = join(root, 'home');

const COMMAND = `
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { id } from '../../lib/cli/flags.ts';
import { type Recording } from '../../lib/cli/manifest.ts';
import { notForAgents } from '../../lib/cli/flags.ts';
import { object, type Result } from '../../lib/cli/result.ts';

export default class AppsPaint extends BaseCommand<typeof AppsPaint> {
  static override summary = 'paint an application';
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [{ args: '{application} --colour red' }];
  static override args = { id: id({ completes: { ids: ['app_'] }, required: true, description: 'application id' }) };
  static override flags = {
    colour: Flags.string({ completes: ['red', 'green'], summary: 'which colour' }),
    show: notForAgents(Flags.boolean({ summary: 'show it on a screen' })),
  };

  async run(): Promise<Result> {
    return object({ id: this.args.id, colour: this.flags.colour });
  }
}
`;

before(async () => {
  const settings = readFileSync(join(repository, 'package.json'), 'utf8').replace('./dist/commands', './src/commands');
  writeFileSync(join(root, 'package.json'), settings);
  for (const folder of ['src', 'home']) mkdirSync(join(root, folder));
  for (const shared of ['node_modules', 'src/lib', 'assets']) symlinkSync(join(repository, shared), join(root, shared));
  cpSync(join(repository, 'src', 'commands'), join(root, 'src', 'commands'), { recursive: true });
  writeFileSync(join(root, 'src', 'commands', 'apps', 'paint.ts'), COMMAND);
  writeFileSync(join(root, 'oclif.manifest.json'), JSON.stringify(await manifestOf(root)));
});
after(() => rmSync(root, { recursive: true, force: true }));

test('help lists it', async () => {
  const topic = await command({ home, root }, 'apps', '--help');
  assert.match(topic.stdout, /apps paint +paint an application/);
  const page = await command({ home, root }, 'apps', 'paint', '--help');
  assert.match(page.stdout, /--colour=<value> +which colour/);
});

test('its name, its flags, their words and its ids are completed', async () => {
  assert.equal((await command({ home, root }, '__complete', 'bash', 'apps', 'pai')).stdout, 'paint\n');
  assert.equal((await command({ home, root }, '__complete', 'bash', 'apps', 'paint', '--col')).stdout, '--colour\n');
  const words = await command({ home, root }, '__complete', 'bash', 'apps', 'paint', '--colour', '');
  assert.equal(words.stdout, 'red\ngreen\n');
  assert.deepEqual((await readManifest(root))['apps:paint']?.args['id']?.completes, { ids: ['app_'] });
});

test('agents are offered it, with its hints and without the flags that are not for them', async () => {
  const input = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n';
  const { stdout } = await command({ home, root, input }, 'mcp');
  interface Tool {
    name: string;
    annotations: object;
    inputSchema: { properties: object };
  }
  const { result } = JSON.parse(stdout) as { result: { tools: Tool[] } };
  const tool = result.tools.find(({ name }) => name === 'apps_paint');
  assert.deepEqual(tool?.annotations, { readOnlyHint: false, destructiveHint: false, openWorldHint: true });
  assert.deepEqual(Object.keys(tool.inputSchema.properties), ['id', 'colour']);
});

test('the surface records what it prints', async () => {
  const { 'sandbox:start': sandbox, login, 'apps:create': create, 'apps:paint': paint } = await readManifest(root);
  assert.ok(sandbox && login && create && paint);
  // What it builds on: the first recordings of these start a sandbox, sign in and give {application}.
  const basis = [sandbox, login, create].map((one) => ({ ...one, recorded: one.recorded?.slice(0, 1) ?? [] }));
  const found = await documents(root, [...basis, paint]);
  assert.deepEqual(found['apps paint {application} --colour red'], { id: 'string', colour: 'string' });
});
