/** Creates signed deliveries on this machine: for `webhooks send`, replays, handler tests and the self-test. */
import { signatureHeader } from '../../contract/signature.ts';
import type { DeliveryMessage } from './target-client.ts';

export interface SignedInput {
  body: Uint8Array;
  /** The header has one `v1` for each, in this order. */
  secrets: readonly string[];
  /** Unix seconds. */
  t: number;
  deliveryId: string;
  /** More headers, names and values alternating. */
  headers?: readonly string[];
}

/** A delivery with the headers of a real one (webhooks.md#delivery). */
export function signedMessage(input: SignedInput): DeliveryMessage {
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

/** A stored delivery signed again: its own headers, with a new signature and delivery id (webhooks.md#delivery, manual resend). */
export function resignedMessage(stored: DeliveryMessage, input: Omit<SignedInput, 'headers'>): DeliveryMessage {
  const own: string[] = [];
  for (let i = 0; i + 1 < stored.headers.length; i += 2) {
    const name = stored.headers[i] ?? '';
    if (!REPLACED.has(name.toLowerCase())) own.push(name, stored.headers[i + 1] ?? '');
  }
  return signedMessage({ ...input, headers: own });
}

const REPLACED = new Set(['content-type', 'credicorp-signature', 'credicorp-delivery']);
