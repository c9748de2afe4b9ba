/** Who a server for agents acts as is settled when it starts: what is written into a folder later does not change it. */
import type { Identity } from '../../auth/credentials/client-identity.ts';
import { usage } from '../../failure.ts';

/**
 * A check for each call of a tool. The embedded sandbox may come, go and change its port.
 * @param first the identity at the start; null when nobody was signed in
 * @returns throws Failure `usage` (`identity_changed`) for another account, host or environment
 */
export function sameIdentityAs(first: Identity | null): (identity: Identity) => void {
  return (identity) => {
    const local = identity.environment.value === 'local' && (first?.environment.value ?? 'local') === 'local';
    if (local || (first !== null && factsOf(first) === factsOf(identity))) return;
    const before = first === null ? 'with nobody signed in' : `as ${described(first)}`;
    throw usage(`this server was started ${before}, and now ${described(identity)} would be used`, {
      code: 'identity_changed',
      next: 'undo the change, or restart the server to act as that',
    });
  };
}

function factsOf({ profile, environment, base, tokenUrl, clientId, mode }: Identity): string {
  const chosen = [profile, environment, base, tokenUrl, clientId].map((one) => one?.value ?? null);
  return JSON.stringify([...chosen, mode]);
}

/** `profile acme on live (https://api.credicorp.co.uk), by /repo/.credicorp.json` */
function described({ profile, environment, base }: Identity): string {
  const who = profile === null ? 'the credential of the environment' : `profile ${profile.value}`;
  const pin = [profile, base].find((one) => one?.source.from === 'pin')?.source.name;
  return `${who} on ${environment.value} (${base.value})${pin === undefined ? '' : `, by ${pin}`}`;
}
