/** Everything a sandbox holds, in one value that is handed to those who act on it. */
import type { Step } from './clock.ts';
import { Clock } from './clock.ts';
import { Collection } from './collection.ts';
import { Gate, type Revocations } from './credentials.ts';
import { bodyOf, Idempotency } from './idempotency.ts';
import { createIdentifiers, type Identifiers, type IdPrefix } from './identifiers.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import type { Ledger } from './ledger.ts';
import { noLedger } from './ledger.ts';
import type {
  AccountKept,
  ApplicationKept,
  DecisionKept,
  DeliveryKept,
  EndpointKept,
  EventKept,
  IdentityKept,
  PaymentKept,
  PaymentLinkKept,
} from './objects.ts';
import type { Companies } from './outcomes.ts';
import type { Settings } from './settings.ts';
import { Texts } from './texts.ts';

/** The kinds of records, by the names they have in counts and in saved state. */
export interface Records {
  applications: ApplicationKept;
  decisions: DecisionKept;
  payments: PaymentKept;
  payment_links: PaymentLinkKept;
  identity_checks: IdentityKept;
  accounts: AccountKept;
  webhook_endpoints: EndpointKept;
  events: EventKept;
  deliveries: DeliveryKept;
}

export type RecordKind = keyof Records;

export const RECORD_KINDS: readonly RecordKind[] = [
  'applications',
  'decisions',
  'payments',
  'payment_links',
  'identity_checks',
  'accounts',
  'webhook_endpoints',
  'events',
  'deliveries',
];

export type Collections = { readonly [K in RecordKind]: Collection<Records[K]> };

export interface World extends Collections {
  readonly settings: Settings;
  readonly companies: Companies;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly keys: Idempotency;
  seed: string;
  ids: Identifiers;
  keyring: Keyring;
  revoked: Revocations;
  ledger: Ledger;
  readonly texts: Texts;
  /** Told of each event once it stands, and of each delivery after an attempt. */
  readonly watchers: Set<Watcher>;
}

export interface Watcher {
  event(event: EventKept): void;
  delivery(delivery: DeliveryKept): void;
}

export function createWorld(settings: Settings, companies: Companies): World {
  const clock = new Clock(settings.now, settings.clock);
  const world: World = {
    settings,
    companies,
    clock,
    gate: new Gate({ issuer: settings.baseUrl, keyring: () => world.keyring, revoked: () => world.revoked }),
    keys: new Idempotency({
      kept(name, answer) {
        if (world.ledger !== noLedger)
          world.ledger.put('keys', name, { ...answer, body: bodyOf(answer), render: null });
      },
      gone: (name) => world.ledger.remove('keys', name),
    }),
    seed: settings.seed,
    ids: createIdentifiers(settings.seed),
    keyring: createKeyring(settings.seed, settings.jwtAlg),
    revoked: { tokens: new Set(), clients: new Set() },
    ledger: noLedger,
    texts: new Texts(),
    watchers: new Set(),
    applications: new Collection(),
    decisions: new Collection(),
    payments: new Collection(),
    payment_links: new Collection(),
    identity_checks: new Collection(),
    accounts: new Collection(),
    webhook_endpoints: new Collection(),
    events: new Collection(),
    deliveries: new Collection(),
  };
  return world;
}

/** Sandbox time as the API writes it. */
export function stamp(world: World): string {
  return world.clock.stamp();
}

/** The next free id of a kind. */
export function newId(world: World, kind: RecordKind): string {
  return world.ids.next(PREFIXES[kind], world[kind].has);
}

const PREFIXES: Readonly<Record<RecordKind, IdPrefix>> = {
  applications: 'app_',
  decisions: 'dec_',
  payments: 'pay_',
  payment_links: 'plink_',
  identity_checks: 'idc_',
  accounts: 'acc_',
  webhook_endpoints: 'whend_',
  events: 'evt_',
  deliveries: 'whd_',
};

/** Notes that a record was made or changed. */
export function save<K extends RecordKind>(world: World, kind: K, record: Records[K]): void {
  world.ledger.put(kind, record.resource.id, record);
}

/**
 * Writes out what was noted, before an answer leaves. Returns why that failed, else null: what was noted stays noted then, and is
 * tried again with the next request.
 */
export function writeDown(world: World): string | null {
  try {
    world.ledger.flush();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Plans a step, `wait` milliseconds of sandbox time from now. */
export function plan(world: World, kind: Step['kind'], id: string, wait: number): void {
  planAt(world, kind, id, world.clock.now() + wait);
}

/** Plans a step at an instant of sandbox time. */
export function planAt(world: World, kind: Step['kind'], id: string, due: number, order?: number): void {
  const step = world.clock.plan(order === undefined ? { kind, id, due } : { kind, id, due, order });
  world.ledger.put('steps', String(step.order), step);
}
