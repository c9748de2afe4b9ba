/** A listener as the built program, in a process of its own, read event by event. */
import { createInterface } from 'node:readline';
import type { ListenerEvent } from '../../src/lib/contract/listener-events.ts';
import { type Child, type Ended, finish, start } from './spawn.ts';

export type EventOf<T extends ListenerEvent['type']> = Extract<ListenerEvent, { type: T }>;

export interface ListenerProgram {
  child: Child;
  events: ListenerEvent[];
  of<T extends ListenerEvent['type']>(type: T): EventOf<T>[];
  /** Waits until a condition holds; it is checked after each event. */
  until(holds: () => boolean): Promise<void>;
  /** Waits for `count` events of this type, past ones included. @returns the last of them */
  times<T extends ListenerEvent['type']>(type: T, count: number): Promise<EventOf<T>>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Ctrl-C. */
  stop(): Promise<Ended & { closed: EventOf<'closed'> }>;
}

/** `webhooks listen … --json`, ready. */
export async function listenProgram(env: Record<string, string>, ...flags: string[]): Promise<ListenerProgram> {
  const child = start('bin/run.js', ['webhooks', 'listen', '--json', ...flags], env);
  // Ten thousand deliveries take longer than a command may, on a busy machine.
  const ended = finish(child, '', 80_000);
  const events: ListenerEvent[] = [];
  let look: () => void = () => undefined;
  let over: Ended | null = null;
  void ended.then((end) => {
    over = end;
    look();
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    events.push(JSON.parse(line) as ListenerEvent);
    look();
  });
  const of = <T extends ListenerEvent['type']>(type: T): EventOf<T>[] =>
    events.filter((event): event is EventOf<T> => event.type === type);
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (over !== null) throw new Error(`the listener ended: ${over.stderr}`);
      await new Promise<void>((resolve) => {
        look = resolve;
      });
    }
  };
  const listener: ListenerProgram = {
    ...{ child, events, of, until },
    async times(type, count) {
      await until(() => of(type).length >= count);
      const last = of(type)[count - 1];
      if (last === undefined) throw new Error(`no ${type}`);
      return last;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async stop() {
      child.kill('SIGINT');
      const end = await ended;
      const [closed] = of('closed');
      if (closed === undefined) throw new Error(`no last event: ${end.stderr}`);
      return { ...end, closed };
    },
  };
  await listener.times('ready', 1);
  return listener;
}
