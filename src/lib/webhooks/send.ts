/** Signing a body of our own and posting it once: `webhooks send`, replays, probes, self-tests. */
import { signatureHeader } from '../contract/signature.ts';
import { createForwarder, type Message, type Outcome } from './forward.ts';

export interface SignedInput {
  body: Uint8Array;
  /** One `v1` for each, in this order. */
  secrets: readonly string[];
  /** Unix seconds. */
  t: number;
  deliveryId: string;
  /** Further headers, names and values in turn. */
  headers?: readonly string[];
}

/** A delivery as the real sender would post it (webhooks.md#delivery). */
export function signedMessage(input: SignedInput): Message {
  const { body, secrets, t, deliveryId } = input;
  const signature = signatureHeader({ secrets, t, body });
  return {
    body,
    headers: [
      'Content-Type',
      'application/json',
      'Credicorp-Signature',
      signature,
      'Credicorp-Delivery',
      deliveryId,
      ...(input.headers ?? []),
    ],
  };
}

/** A stored delivery signed anew: its own headers, but a fresh signature and delivery id (webhooks.md#delivery, manual resend). */
export function resignedMessage(stored: Message, input: Omit<SignedInput, 'headers'>): Message {
  const own: string[] = [];
  for (let i = 0; i + 1 < stored.headers.length; i += 2) {
    const name = stored.headers[i] ?? '';
    if (!REPLACED.has(name.toLowerCase())) own.push(name, stored.headers[i + 1] ?? '');
  }
  return signedMessage({ ...input, headers: own });
}

const REPLACED = new Set(['content-type', 'credicorp-signature', 'credicorp-delivery']);

/** Posts once, over a connection of its own. Never throws. */
export async function sendOnce(options: {
  target: URL;
  message: Message;
  timeoutMs: number;
  ticks: () => number;
  signal: AbortSignal;
}): Promise<Outcome> {
  const { target, timeoutMs, ticks } = options;
  const forwarder = createForwarder({ origin: target.origin, concurrency: 1, timeoutMs, ticks });
  try {
    return await forwarder.attempt(target.href, options.message, options.signal);
  } finally {
    await forwarder.close();
  }
}
