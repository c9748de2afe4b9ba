/** Deliveries that a handler must refuse: unsigned, malformed, forged, modified, replayed. Each has exactly one fault. */
import { createHmac } from 'node:crypto';
import type { HandlerCheck, HandlerCheckGroup, TestKit } from './handler-check.ts';

const REFUSE = 'answer 400 before the body is used';
const PARSE = 'parse the header strictly: answer 400 when a part is missing, duplicated or malformed, without throwing';

export const forgedChecks: HandlerCheck[] = [
  header('no header', 'a delivery without a signature was accepted, or made the handler fail', () => null),
  header('blank header', 'a blank signature was accepted, or made the handler fail', () => ' '),
  header(
    'a word as header',
    'a header that is not a list was accepted, or made the handler fail',
    () => 'not-a-signature',
  ),
  header('no t', 'without t the time of signing is not known', (good) => good.replace(/t=\d+,/, '')),
  header('no v1', 'without v1 there is no signature', (good) => good.replace(/,v1=.*/, '')),
  header('only an unknown scheme', 'an unknown scheme proves nothing', (good) => good.replace('v1=', 'v0=')),
  header('two t', 'with two times it is not clear which one was signed', (good) => `t=1,${good}`),
  header('t in milliseconds', 'a time of 13 digits is not unix seconds', (good) => good.replace(/t=(\d+)/, 't=$1000')),
  header('empty v1', 'an empty signature must not match', (good) => good.replace(/v1=.*/, 'v1=')),
  header(
    'v1 cut short by one',
    'part of a signature is not a signature; timingSafeEqual throws on unequal lengths',
    (good) => good.slice(0, -1),
  ),
  header('first eight digits of v1', 'part of a signature is not a signature', (good) =>
    good.replace(/v1=(.{8}).*/, 'v1=$1'),
  ),
  header(
    'last digit of v1 changed',
    'all digits must match',
    (good) => good.slice(0, -1) + (good.endsWith('0') ? '1' : '0'),
  ),
  forged('wrong secret', 'a signature made with another secret was accepted', (kit, body) => ({
    body,
    header: kit.sign(body, { secrets: [kit.otherSecret] }),
  })),
  forged('two wrong secrets', 'two signatures, neither with the right secret, were accepted', (kit, body) => ({
    body,
    header: kit.sign(body, { secrets: [kit.otherSecret, `${kit.otherSecret}x`] }),
  })),
  forged('secret without whsec_', 'the key is the whole secret, its prefix included', (kit, body) => ({
    body,
    header: kit.sign(body, { secrets: [kit.secret.startsWith('whsec_') ? kit.secret.slice(6) : `${kit.secret}x`] }),
  })),
  forged('only the body signed', 'a signature that does not cover t can be replayed for ever', (kit, body) => ({
    body,
    header: `t=${kit.now()},v1=${mac(kit.secret, body)}`,
  })),
  forged('signed without the dot', 'the signed text is t, one dot, and the body', (kit, body) => ({
    body,
    header: `t=${kit.now()},v1=${mac(kit.secret, String(kit.now()), body)}`,
  })),
  forged('one byte changed', 'a body that was changed in transit was accepted', (kit, body) => {
    const changed = Buffer.from(body);
    changed[changed.length - 2] = 32;
    return { body: changed, header: kit.sign(body) };
  }),
  forged('amount changed', 'a body that was changed in transit was accepted', (kit, body) => ({
    body: Buffer.from(body.toString().replace('2500000', '9900000')),
    header: kit.sign(body),
  })),
  forged('body serialised again', 'the same JSON in another format is not what was signed', (kit, body) => ({
    body: Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 2)),
    header: kit.sign(body),
  })),
  forged('line break added', 'with a line break added, the body is not what was signed', (kit, body) => ({
    body: Buffer.concat([body, Buffer.from('\n')]),
    header: kit.sign(body),
  })),
  forged('signature of another delivery', 'a signature is valid for one body only', (kit, body) => ({
    body,
    header: kit.sign(kit.bytes(kit.event())),
  })),
  forged('old signature, new t', 't is part of the signed text', (kit, body) => ({
    body,
    header: kit.sign(body, { t: kit.now() - 3600 }).replace(/t=\d+/, `t=${kit.now()}`),
  })),
  aged('ten minutes old', -600),
  aged('a day old', -86_400),
  aged('ten minutes in the future', 600),
];

function forged(
  name: string,
  why: string,
  forge: (kit: TestKit, body: Buffer) => { body: Uint8Array; header: string | null },
  group: HandlerCheckGroup = 'forged',
  next = REFUSE,
): HandlerCheck {
  return {
    name,
    group,
    wants: 'refused',
    why,
    next,
    run: async (kit) => [await kit.post(forge(kit, kit.bytes(kit.event('application.updated'))))],
  };
}

function header(name: string, why: string, change: (good: string) => string | null): HandlerCheck {
  return forged(name, why, (kit, body) => ({ body, header: change(kit.sign(body)) }), 'header', PARSE);
}

function aged(name: string, seconds: number): HandlerCheck {
  const why = 'anybody who recorded a delivery could send it again: allow at most 300 seconds, past or future';
  const next = 'refuse when |now − t| ≥ 300 seconds; check this after the signature';
  return forged(name, why, (kit, body) => ({ body, header: kit.sign(body, { t: kit.now() + seconds }) }), 'age', next);
}

function mac(secret: string, ...parts: (string | Uint8Array)[]): string {
  const hmac = createHmac('sha256', secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}
