/** The whole state of a sandbox in one value, which is passed to everything that reads or changes it. */
import type { TierName } from '../../contract/tiers.ts';
import { Authenticator, type Revocations } from '../token/authenticator.ts';
import { createKeyring, type Keyring } from '../token/keyring.ts';
import { Clock, STEP_WAITS, type ScheduledStep } from './clock.ts';
import { Collection } from './collection.ts';
import type { Companies } from './companies.ts';
import { bodyOf, Idempotency } from './idempotent-answers.ts';
import { createFaults, type Faults } from './fault-injection.ts';
import { Limits } from './rate-limits.ts';
import { createIdentifiers, type Identifiers, type IdPrefix } from './identifiers.ts';
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
import { noPersistence, type Persistence } from './persistence.ts';

/** How a sandbox was started, every default filled in. */
export interface Settings {
  baseUrl: string;
  version: string;
  seed: string;
  provider: 'credicorp' | 'acountpay';
  tier: TierName;
  rateLimit: boolean;
  clock: { start: number | undefined; speed: number; frozen: boolean };
  autoSubmit: boolean;
  lenient: boolean;
  strict: boolean;
  jwtAlg: 'ES256' | 'RS256';
  v1Order: 'new-first' | 'old-first';
  webhookDebugHeaders: boolean;
  logToken: string | undefined;
  adminToken: string | undefined;
  anyName: boolean;
  now(): number;
}

/** The kinds of records, by the names they have in counts and in saved state. */
export interface StoredRecords {
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

export type RecordKind = keyof StoredRecords;

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

export type Collections = { readonly [K in RecordKind]: Collection<StoredRecords[K]> };

export interface SandboxState extends Collections {
  readonly settings: Settings;
  readonly companies: Companies;
  readonly clock: Clock;
  readonly authenticator: Authenticator;
  readonly limits: Limits;
  readonly faults: Faults;
  readonly keys: Idempotency;
  seed: string;
  ids: Identifiers;
  keyring: Keyring;
  revoked: Revocations;
  persistence: Persistence;
  /** Called with each event once it is recorded, and with each delivery after an attempt. */
  readonly watchers: Set<Watcher>;
}

export interface Watcher {
  event(event: EventKept): void;
  delivery(delivery: DeliveryKept): void;
}

export function createState(settings: Settings, companies: Companies): SandboxState {
  const clock = new Clock(settings.now, settings.clock);
  const state: SandboxState = {
    settings,
    companies,
    clock,
    authenticator: new Authenticator({
      issuer: settings.baseUrl,
      keyring: () => state.keyring,
      revoked: () => state.revoked,
    }),
    keys: new Idempotency({
      kept(name, answer) {
        if (state.persistence !== noPersistence)
          state.persistence.put('keys', name, { ...answer, body: bodyOf(answer), render: null });
      },
      gone: (name) => state.persistence.remove('keys', name),
    }),
    limits: new Limits(settings.now, settings),
    faults: createFaults({
      newId: (prefix) => state.ids.next(prefix),
      draw: () => state.ids.draw(),
      now: () => state.clock.now(),
    }),
    seed: settings.seed,
    ids: createIdentifiers(settings.seed),
    keyring: createKeyring(settings.seed, settings.jwtAlg),
    revoked: { tokens: new Set(), clients: new Set() },
    persistence: noPersistence,
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
  return state;
}

/** Sandbox time as the API writes it. */
export function stamp(state: SandboxState): string {
  return state.clock.stamp();
}

/** The next free id of a kind. */
export function newId(state: SandboxState, kind: RecordKind): string {
  return state.ids.next(PREFIXES[kind], state[kind].has);
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
export function save<K extends RecordKind>(state: SandboxState, kind: K, record: StoredRecords[K]): void {
  state.persistence.put(kind, record.resource.id, record);
}

/**
 * Writes out what was noted, before an answer leaves. Returns why that failed, else null: the changes stay noted then, and are
 * written with the next request.
 */
export function flush(state: SandboxState): string | null {
  try {
    state.persistence.flush();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Plans a step after its usual wait, or after `wait` milliseconds of sandbox time. */
export function plan(
  state: SandboxState,
  kind: keyof typeof STEP_WAITS,
  id: string,
  wait: number = STEP_WAITS[kind],
): void {
  planAt(state, kind, id, state.clock.now() + wait);
}

/** Plans a step at an instant of sandbox time. */
export function planAt(
  state: SandboxState,
  kind: ScheduledStep['kind'],
  id: string,
  due: number,
  order?: number,
): void {
  const step = state.clock.plan(order === undefined ? { kind, id, due } : { kind, id, due, order });
  state.persistence.put('steps', String(step.order), step);
}

// Resets the state (sandbox.md#admin-routes): removes everything except, if asked, the webhook endpoints.

/** The same seed begins its ids again; another one can be given. */
export function resetState(state: SandboxState, seed: string | null, keepEndpoints: boolean): void {
  const endpoints = keepEndpoints ? [...state.webhook_endpoints.all()] : [];
  state.persistence.clear();
  for (const kind of RECORD_KINDS) state[kind].clear();
  state.keys.clear();
  state.revoked = { tokens: new Set(), clients: new Set() };
  state.seed = seed ?? state.seed;
  state.ids = createIdentifiers(state.seed);
  state.keyring = createKeyring(state.seed, state.settings.jwtAlg);
  state.authenticator.forget();
  state.faults.remove(null);
  state.limits.reset();
  state.persistence.put('state', 'seed', { seed: state.seed });
  if (state.settings.jwtAlg === 'RS256')
    state.persistence.put('state', 'keys', (state.keyring.current(), state.keyring.save()));
  state.clock.restart();
  for (const endpoint of endpoints) {
    endpoint.failingSince = null;
    save(state, 'webhook_endpoints', state.webhook_endpoints.add(endpoint));
  }
}
