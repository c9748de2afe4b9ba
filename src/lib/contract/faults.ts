/**
 * Names of the faults that can be injected: by the sandbox (`sandbox faults add`, sandbox.md#fault-injection) and by the listener
 * (`webhooks listen --chaos`). A fault that both support has the same name; the sandbox prefixes it with `webhook_`.
 */

const DELIVERY_FAULTS = ['duplicate', 'reorder', 'delay'] as const;

/** Faults of the listener. `drop` skips the first attempt; the sandbox, which is the sender, has `webhook_fail` instead. */
export type ListenerFault = (typeof DELIVERY_FAULTS)[number] | 'drop';

/** Faults of the sandbox, in documented order. */
export const FAULT_KINDS = [
  'error',
  'latency',
  'drop_before',
  'drop_after',
  'html',
  'bad_json',
  'token_expired',
  'rotate_keys',
  'payment_fail',
  'webhook_fail',
  ...DELIVERY_FAULTS.map((name) => `webhook_${name}` as const),
  'webhook_bad_signature',
  'webhook_stale',
  'webhook_body_only',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];
