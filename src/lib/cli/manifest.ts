/**
 * The commands as oclif.manifest.json describes them. Everything a command says about itself is a static of its class or a property of
 * its flags and arguments; oclif caches the statics, and `addFlagFacts` what it would leave out of flags and arguments.
 */
import type { Command } from '@oclif/core/command';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What Tab offers for a value: these words, all event types, all error codes, or ids seen lately that begin with one of these prefixes. */
export type Completion = readonly string[] | 'event types' | 'error codes' | { readonly ids: readonly string[] };

/** What a command does when an agent calls it as a tool: changes nothing, adds or changes something, or ends what cannot be had back. */
export type AgentTool = 'read' | 'write' | 'destroy';

/** In this order: the recorder's sandbox has just started, everything usual, a listener runs, the end, the recorder's sandbox has stopped. */
export type RecordingStage = 'start' | 'usual' | 'listening' | 'end' | 'offline';

/** A run of the command whose JSON output is recorded in test/surface/surface.json, by scripts/surface-documents.ts. */
export interface Recording {
  /** What follows the command's name; `{name}` stands for a value that another recording gives. */
  args?: string;
  /** `usual` when left out. Within a stage, a recording runs after those that give the values it names. */
  stage?: RecordingStage;
  /** A command of the same stage that runs before. */
  after?: string;
  /** The exit status, where it is not 0. */
  status?: number | 'any';
  stdin?: string;
  /** Files by name, which `args` may name. */
  files?: Readonly<Record<string, string>>;
  /** Values of the first document by dotted path, for other recordings. */
  gives?: Readonly<Record<string, string>>;
  /** Started before everything else in its stage, and interrupted at the end of this one. */
  runsUntil?: RecordingStage;
  /** Its documents differ by their member `type`: each type is recorded by itself. */
  byType?: boolean;
}

export interface CommandEntry {
  id: string;
  summary?: string | undefined;
  description?: string | undefined;
  hidden?: boolean | undefined;
  args: Readonly<Record<string, ArgEntry>>;
  flags: Readonly<Record<string, FlagEntry>>;
  agentTool?: AgentTool | null;
  agentFlags?: readonly string[];
  recorded?: readonly Recording[];
}

export interface ArgEntry {
  name: string;
  description?: string | undefined;
  required?: boolean | undefined;
  multiple?: boolean | undefined;
  options?: readonly string[] | undefined;
  completes?: Completion;
}

export interface FlagEntry extends Omit<ArgEntry, 'description'> {
  type: 'boolean' | 'option';
  char?: string | undefined;
  summary?: string | undefined;
  default?: unknown;
  exclusive?: string[] | undefined;
  dependsOn?: string[] | undefined;
  helpGroup?: string | undefined;
  helpValue?: string | string[] | undefined;
  hidden?: boolean | undefined;
  /** False where an agent is not offered it. */
  forAgents?: boolean;
}

/** The commands by id (`apps:create`). */
export async function readManifest(root: string): Promise<Record<string, CommandEntry>> {
  const text = await readFile(join(root, 'oclif.manifest.json'), 'utf8');
  return (JSON.parse(text) as { commands: Record<string, CommandEntry> }).commands;
}

/** Copies into the cached command what oclif leaves out of its flags and arguments. */
export function addFlagFacts(cached: Pick<CommandEntry, 'args' | 'flags'>, own: Command.Class): void {
  const copy = (entries: Readonly<Record<string, object>>, defined: Readonly<Record<string, object>>): void => {
    for (const [name, entry] of Object.entries(entries)) {
      for (const fact of ['completes', 'forAgents']) {
        const value: unknown = Reflect.get(defined[name] ?? {}, fact);
        if (value !== undefined) Reflect.set(entry, fact, value);
      }
    }
  };
  copy(cached.flags, { ...own.baseFlags, ...own.flags });
  copy(cached.args, own.args);
}
