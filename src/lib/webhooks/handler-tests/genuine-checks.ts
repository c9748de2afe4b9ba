/** Deliveries that a handler must accept: every event type, bodies of every kind, rotation, repeats, and load. */
import { EVENT_TYPES, type EventType, isEventType } from '../../contract/events.ts';
import type { HandlerCheck, TestKit } from './handler-check.ts';

const RAW = 'verify the raw bytes before they are parsed: express.raw(), request.get_data(), getContent()';
const TOLERANT = 'answer 2xx to events you do not know, and ignore members you do not need';
const EVERY_V1 = 'check every v1 entry and accept when one matches; a map of the header contains only the last one';

export const genuineChecks: HandlerCheck[] = [
  ...Object.keys(EVENT_TYPES).filter(isEventType).map(ofType),
  {
    name: 'unknown type',
    group: 'events',
    wants: 'accepted',
    why: 'new event types appear without notice; refusing them makes the sender retry for three days',
    next: TOLERANT,
    run: async (kit) => [await kit.postGenuine({ ...kit.event(), type: 'something.new' })],
  },
  {
    name: 'unknown members',
    group: 'events',
    wants: 'accepted',
    why: 'new members appear without notice in the envelope, in data and in objects',
    next: TOLERANT,
    run: async (kit) => {
      const event = kit.event();
      return [await kit.postGenuine({ ...event, brand_new: { a: [1] }, data: { ...event.data, also_new: null } })];
    },
  },
  body('indented body', 'a body that is not compact must be verified unchanged', RAW, (kit) =>
    Buffer.from(`${JSON.stringify(kit.event(), null, 2)}\n`),
  ),
  body(
    'unusual JSON formatting',
    'numbers, escapes and line endings change when a body is parsed and serialised again',
    RAW,
    (kit) =>
      Buffer.from(JSON.stringify(kit.event()).replace('"livemode":false', '"livemode":false,"x":1.0,"y":"\\/\\u00e9"')),
  ),
  body('non-ASCII body', 'names may have accents; the signature is over UTF-8 bytes, not characters', RAW, (kit) => {
    const event = kit.event();
    return kit.bytes({ ...event, data: { ...event.data, note: 'Café Zoë & Søn — £25 🏦' } });
  }),
  body('big body', 'a body of 90 kB was not accepted', 'raise the limit of the body reader to at least 1 MB', (kit) => {
    const event = kit.event();
    return kit.bytes({ ...event, data: { ...event.data, fill: 'x'.repeat(90_000) } });
  }),
  {
    name: 'empty body',
    group: 'bodies',
    wants: 'answered',
    why: 'an empty body made the handler fail',
    next: 'answer 400 to a body that is not an event; do not throw',
    run: async (kit) => [await kit.post({ body: Buffer.alloc(0), header: kit.sign(Buffer.alloc(0)) })],
  },
  {
    name: 'body that is not JSON',
    group: 'bodies',
    wants: 'answered',
    why: 'a body that is not JSON made the handler fail',
    next: 'answer 400 to a body that is not an event; do not throw',
    run: async (kit) => [await kit.post({ body: Buffer.from('{"id":'), header: kit.sign(Buffer.from('{"id":')) })],
  },
  header(
    'white space in the header',
    'entries may be separated by commas and white space',
    (good) => ` ${good.replace(',', ', ')} `,
  ),
  header('v1 before t', 'the order of the entries is free', (good) => good.split(',').toReversed().join(',')),
  header('unknown entries', 'new schemes may be added besides v1', (good) => `v0=${'0'.repeat(64)},${good},v2=abc`),
  header(
    'a malformed v1 besides the valid one',
    'entries of another length must be skipped; timingSafeEqual throws on them',
    (good) => good.replace('v1=', 'v1=deadbeef,v1='),
  ),
  aged('four minutes old', -240),
  aged('four minutes in the future', 240),
  rotation('rotation, ours last', (kit) => [kit.otherSecret, kit.secret]),
  rotation('rotation, ours first', (kit) => [kit.secret, kit.otherSecret]),
  rotation('three entries, ours in the middle', (kit) => [kit.otherSecret, kit.secret, `${kit.otherSecret}x`]),
  repeats('the same event twice', 'a redelivery keeps the event id', async (kit) => {
    const bytes = kit.bytes(kit.event());
    const post = (): ReturnType<TestKit['post']> => kit.post({ body: bytes, header: kit.sign(bytes) });
    return [await post(), await post()];
  }),
  repeats('the same event five times at once', 'two deliveries of one event can overlap', (kit) => {
    const bytes = kit.bytes(kit.event());
    return Promise.all(Array.from({ length: 5 }, () => kit.post({ body: bytes, header: kit.sign(bytes) })));
  }),
  repeats('an automatic retry', 'a retry is signed again and keeps its delivery id', async (kit) => {
    const bytes = kit.bytes(kit.event());
    const deliveryId = 'whd_probeRetry';
    const first = await kit.post({ body: bytes, header: kit.sign(bytes, { t: kit.now() - 60 }), deliveryId });
    return [first, await kit.post({ body: bytes, header: kit.sign(bytes), deliveryId })];
  }),
  repeats('newer before older', 'events arrive in any order', async (kit) => {
    const newer = kit.event('decision.completed');
    const older = kit.event('application.submitted', { created: '2020-01-01T00:00:00Z' });
    return [
      await kit.postGenuine(newer),
      await kit.postGenuine({ ...older, data: { ...older.data, ...idsOf(newer.data) } }),
    ];
  }),
  {
    name: 'ten in a row',
    group: 'load',
    wants: 'accepted',
    why: 'deliveries one after the other over the same connection failed',
    next: 'read each body completely, so that the connection can be used again',
    run: async (kit) => {
      const outcomes = [];
      for (let n = 0; n < 10; n += 1) outcomes.push(await kit.postGenuine());
      return outcomes;
    },
  },
  {
    name: 'twenty at once',
    group: 'load',
    wants: 'accepted',
    why: 'concurrent deliveries failed; the sender sends up to ten at the same time',
    next: 'store the event, answer 2xx, and do the work afterwards',
    run: (kit) => Promise.all(Array.from({ length: 20 }, () => kit.postGenuine())),
  },
];

function ofType(type: EventType): HandlerCheck {
  return {
    name: type,
    group: 'events',
    wants: 'accepted',
    why: `a genuine ${type} was not accepted`,
    next: 'check the secret and the signed text: t, a dot, and the raw body',
    run: async (kit) => [await kit.postGenuine(kit.event(type))],
  };
}

function body(name: string, why: string, next: string, write: (kit: TestKit) => Buffer): HandlerCheck {
  return {
    name,
    group: 'bodies',
    wants: 'accepted',
    why,
    next,
    run: async (kit) => {
      const bytes = write(kit);
      return [await kit.post({ body: bytes, header: kit.sign(bytes) })];
    },
  };
}

function header(name: string, why: string, rewrite: (good: string) => string): HandlerCheck {
  return {
    name,
    group: 'header',
    wants: 'accepted',
    why,
    next: 'split the header at commas and white space, each part at its first =, and ignore unknown names',
    run: async (kit) => {
      const bytes = kit.bytes(kit.event());
      return [await kit.post({ body: bytes, header: rewrite(kit.sign(bytes)) })];
    },
  };
}

function aged(name: string, seconds: number): HandlerCheck {
  return {
    name,
    group: 'age',
    wants: 'accepted',
    why: 'clocks differ and networks are slow: allow up to 300 seconds, past or future',
    next: 'accept while |now − t| < 300, in seconds',
    run: async (kit) => {
      const bytes = kit.bytes(kit.event());
      return [await kit.post({ body: bytes, header: kit.sign(bytes, { t: kit.now() + seconds }) })];
    },
  };
}

function rotation(name: string, secrets: (kit: TestKit) => string[]): HandlerCheck {
  return {
    name,
    group: 'rotation',
    wants: 'accepted',
    why: 'for 24 hours after a rotation each delivery is signed with both secrets, in no fixed order',
    next: EVERY_V1,
    run: async (kit) => {
      const bytes = kit.bytes(kit.event());
      return [await kit.post({ body: bytes, header: kit.sign(bytes, { secrets: secrets(kit) }) })];
    },
  };
}

function repeats(name: string, why: string, run: HandlerCheck['run']): HandlerCheck {
  const next = 'remember event ids; when one is received again, answer 2xx and do nothing';
  return {
    name,
    group: 'repeats',
    wants: 'accepted',
    why: `${why}, and must be answered with 2xx`,
    next,
    run,
  };
}

function idsOf(data: Record<string, unknown>): object {
  return { application_id: data['application_id'] };
}
