/**
 * The embedded sandbox's own credentials (sandbox.md#start-up). They are printed in every copy of this program and open nothing but a
 * server on the same machine, so they need no keychain and may be known by heart.
 */

const SECRETS: Readonly<Record<string, string>> = {
  cid_sbx_local: 'csk_sbx_local',
  cid_sbx_launch: 'csk_sbx_launch',
  cid_sbx_scale: 'csk_sbx_scale',
  partner_local: 'partner_secret_local',
};

const SECRET_KEYS = new Set(['sk_test_local', 'sk_test_launch', 'sk_test_scale']);

/** The profile `sandbox start` makes, and the one meant when nothing else is said while a sandbox runs. */
export const LOCAL_PROFILE = 'local';

/** The client the profile `local` uses. */
export const LOCAL_CLIENT = { id: 'cid_sbx_local', secret: 'csk_sbx_local' } as const;

/** The public secret of one of the embedded sandbox's clients; null for any other client. */
export function localSecretOf(clientId: string): string | null {
  return Object.hasOwn(SECRETS, clientId) ? (SECRETS[clientId] ?? null) : null;
}

/** True for a client id, client secret or secret key that only the embedded sandbox knows. */
export function isLocalCredential(text: string): boolean {
  return Object.hasOwn(SECRETS, text) || Object.values(SECRETS).includes(text) || SECRET_KEYS.has(text);
}
