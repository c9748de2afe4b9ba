/** What the keychain helper and its caller say to each other: one line of JSON each way, over the helper's stdin and stdout. An
 * empty line from the helper says that it has the request and turns to the keychain. */

export type KeychainOperation =
  | { do: 'get'; account: string }
  | { do: 'set'; account: string; secret: string }
  | { do: 'remove'; account: string }
  /** Every account that starts with `prefix`. */
  | { do: 'remove_under'; prefix: string };

/** `get`: the secret or null. `set`: true. `remove`: whether there was one. `remove_under`: how many there were. */
export type KeychainResult = string | number | boolean | null;

export interface KeychainRequest {
  service: string;
  operations: readonly KeychainOperation[];
}

/** Why the keychain could not be used, as the helper sees it. */
export type KeychainTrouble = 'no_library' | 'no_bus' | 'no_service' | 'no_keyring' | 'locked' | 'failed';

export type KeychainReply =
  | { results: readonly KeychainResult[] }
  /** `detail` is the library's own message. */
  | { trouble: KeychainTrouble; detail: string };
