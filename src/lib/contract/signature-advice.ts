/** What each cause of a refused signature means and what to do about it, for people (webhooks.md#causes-of-a-refused-signature). */
import type { SignatureCause } from './signature.ts';

export interface SignatureAdvice {
  meaning: string;
  next: string;
}

export const SIGNATURE_ADVICE: Readonly<Record<SignatureCause, SignatureAdvice>> = {
  missing_header: {
    meaning: 'there is no Credicorp-Signature header',
    next: 'look for a proxy that removes headers; if there is none, the request is not from Credicorp',
  },
  malformed_header: {
    meaning: 'the header is not a list of name=value pairs',
    next: 'compare the header as received with t=<unix seconds>,v1=<64 hex digits>',
  },
  missing_timestamp: {
    meaning: 'the header has no t entry',
    next: 'send t=<unix seconds>; the name is case-sensitive',
  },
  duplicate_timestamp: {
    meaning: 'the header has more than one t entry',
    next: 'look for a proxy that joined two header lines, or a sender that adds the header twice',
  },
  malformed_timestamp: {
    meaning: 't is not a whole number of unix seconds',
    next: 'send seconds, at most 12 digits, without sign, decimals or leading zero',
  },
  missing_v1: {
    meaning: 'the header has no v1 entry, only schemes that this version does not support',
    next: 'send v1=<64 lower-case hex digits>, or update this program',
  },
  malformed_signature: {
    meaning: 'v1 is not 64 hex digits: it was cut off, or made with another hash',
    next: 'send the whole HMAC-SHA256 in hex',
  },
  uppercase_hex: {
    meaning: 'v1 has the right length in the wrong case',
    next: 'write the hex digits in lower case; receivers compare text',
  },
  base64_signature: {
    meaning: 'v1 looks like base64',
    next: 'encode the MAC as 64 lower-case hex digits',
  },
  stale_timestamp: {
    meaning: 'the signature is genuine but too old',
    next: "look for a queue in between, a replayed request, or a sender's clock that is slow; every retry must be signed again",
  },
  future_timestamp: {
    meaning: 'the signature is genuine but its time is in the future',
    next: "set the receiver's clock: it is slow",
  },
  body_only_hmac: {
    meaning: 'v1 signs the body alone, without t and the dot, as one published example does',
    next: 'sign t + "." + body; a MAC of the body alone is never accepted, because it could be replayed for ever',
  },
  whitespace_in_secret: {
    meaning: 'the secret matches, except for white space around it',
    next: 'remove the space or line break from the stored secret',
  },
  quoted_secret: {
    meaning: 'the secret matches once the quotes around it are removed',
    next: 'store the secret without quotes',
  },
  secret_prefix_removed: {
    meaning: 'the signer used only the part of the secret after whsec_',
    next: 'use the whole secret, whsec_ included, as UTF-8 text',
  },
  wrong_signed_string: {
    meaning: 'the right parts were signed in the wrong form',
    next: 'sign t, one dot, then the raw body',
  },
  body_newline_changed: {
    meaning: 'line endings in the body changed after it was signed',
    next: 'send the file unchanged (curl --data-binary @file) and check that no editor adds a line break at the end',
  },
  body_reserialised: {
    meaning: 'the body was parsed and serialised again after it was signed',
    next: 'verify the raw bytes: express.raw(), request.get_data(), getContent()',
  },
  secret_other_environment: {
    meaning: 'a secret stored for another environment or profile matches',
    next: 'use the secret of the environment that sends the webhooks; each environment has its own secrets',
  },
  secret_other_endpoint: {
    meaning: 'the secret of another endpoint matches',
    next: 'use the secret that was shown when this endpoint was created',
  },
  wrong_secret: {
    meaning: 'no common mistake explains it: the secret is wrong, or the body or t was changed',
    next: 'compare the secret with the one shown when the endpoint was created; if it is lost, rotate it',
  },
};
