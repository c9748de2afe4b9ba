/** Deliveries a handler must refuse: unsigned, misshapen, forged, tampered with, replayed. Each is one mistake, and no more. */
import { createHmac } from 'node:crypto';
import type { HandlerCheck, HandlerCheckGroup, TestKit } from './handler-check.ts';

const REFUSE = 'answer 400 before anything is done with the body';
const PARSE =
  'take a header apart strictly; what is missing, doubled or misshapen is refused with 400, and nothing throws';

export const forgedChecks: HandlerCheck[] = [
  header('no header', 'a delivery without a signature was let in, or made the handler fail', () => null),
  header('blank header', 'a blank signature was let in, or made the handler fail', () => ' '),
  header('a word as header', 'a header that is no list was let in, or made the handler fail', () => 'not-a-signature'),
  header('no t', 'without t nothing says when it was signed', (good) => good.replace(/t=\d+,/, '')),
  header('no v1', 'without v1 nothing is signed', (good) => good.replace(/,v1=.*/, '')),
  header('only an unknown scheme', 'a scheme that is not known proves nothing', (good) => good.replace('v1=', 'v0=')),
  header('two t', 'with two times it is open which one was signed', (good) => `t=1,${good}`),
  header('t in milliseconds', 'a time of 13 digits is not unix seconds', (good) => good.replace(/t=(\d+)/, 't=$1000')),
  header('empty v1', 'an empty signature must not match', (good) => good.replace(/v1=.*/, 'v1=')),
  header(
    'v1 cut short by one',
    'part of a signature is no signature; timingSafeEqual throws on unequal lengths',
    (good) => good.slice(0, -1),
  ),
  header('first eight digits of v1', 'part of a signature is no signature', (good) =>
    good.replace(/v1=(.{8}).*/, 'v1=$1'),
  ),
  header(
    'last digit of v1 changed',
    'every digit counts',
    (good) => good.slice(0, -1) + (good.endsWith('0') ? '1' : '0'),
  ),
  forged('wrong secret', 'a signature made with another secret was let in', (kit, body) => ({
    body,
    header: kit.sign(body, { secrets: [kit.otherSecret] }),
  })),
  forged('two wrong secrets', 'two signatures, neither with the right secret, were let in', (kit, body) => ({
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
  forged('signed without the dot', 'what is signed is t, one dot, and the body', (kit, body) => ({
    body,
    header: `t=${kit.now()},v1=${mac(kit.secret, String(kit.now()), body)}`,
  })),
  forged('one byte changed', 'a body that was changed on the way was let in', (kit, body) => {
    const changed = Buffer.from(body);
    changed[changed.length - 2] = 32;
    return { body: changed, header: kit.sign(body) };
  }),
  forged('amount changed', 'a body that was changed on the way was let in', (kit, body) => ({
    body: Buffer.from(body.toString().replace('2500000', '9900000')),
    header: kit.sign(body),
  })),
  forged('written anew', 'the same JSON in another spelling is not what was signed', (kit, body) => ({
    body: Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 2)),
    header: kit.sign(body),
  })),
  forged('line end added', 'a line end added on the way is not what was signed', (kit, body) => ({
    body: Buffer.concat([body, Buffer.from('\n')]),
    header: kit.sign(body),
  })),
  forged('signature of another delivery', 'a genuine signature fits one body only', (kit, body) => ({
    body,
    header: kit.sign(kit.bytes(kit.event())),
  })),
  forged('old signature, new t', 't is part of what is signed', (kit, body) => ({
    body,
    header: kit.sign(body, { t: kit.now() - 3600 }).replace(/t=\d+/, `t=${kit.now()}`),
  })),
  aged('ten minutes old', -600),
  aged('a day old', -86_400),
  aged('ten minutes ahead', 600),
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
  const why = 'whoever recorded a delivery could send it again: only 300 seconds are tolerated, in both directions';
  const next = 'refuse when |now − t| ≥ 300, in seconds; compare after the signature was found good';
  return forged(name, why, (kit, body) => ({ body, header: kit.sign(body, { t: kit.now() + seconds }) }), 'age', next);
}

function mac(secret: string, ...parts: (string | Uint8Array)[]): string {
  const hmac = createHmac('sha256', secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}
