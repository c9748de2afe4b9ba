/** The flags of `webhooks listen`. */
import * as Flags from '@oclif/core/flags';
import { count, duration } from '../flags.ts';
import { secretFlags } from './signing.ts';

export const listenFlags = {
  forward: Flags.string({
    helpValue: '<target>',
    summary: 'where deliveries go: localhost:3000/hook, 3000/hook or a URL',
  }),
  'no-forward': Flags.boolean({
    summary: 'receive, verify and store, but forward nothing',
    exclusive: ['forward', 'route'],
  }),
  route: Flags.string({
    helpValue: '<type=target>',
    summary: "send some types to another target: 'payment.*=localhost:4000/pay'",
    multiple: true,
    multipleNonGreedy: true,
  }),
  events: Flags.string({
    completes: 'event types',
    helpValue: '<types>',
    summary: 'only these types: decision.*,payment.settled [default: all]',
  }),
  'allow-remote': Flags.boolean({ summary: 'allow a target on another machine' }),
  exec: Flags.string({ helpValue: '<command>', summary: 'run this once ready, and end with its status' }),
  'ready-file': Flags.string({ helpValue: '<file>', summary: 'write the ready event to this file' }),
  inspect: count({
    helpValue: '<port>',
    summary: 'show the deliveries live in a browser; --inspect alone takes any free port',
    min: 0,
    max: 65_535,
  }),
  port: count({ summary: 'loopback port to receive on [default: any free one]', min: 1, max: 65_535 }),
  'public-url': Flags.string({ helpValue: '<url>', summary: 'your https URL that leads to --port' }),
  tunnel: Flags.string({
    helpValue: '<tunnel>',
    summary: 'public URL by ssh:user@host[:port], cloudflared or ngrok',
  }),
  'remote-port': count({ summary: 'port at the far end of an ssh tunnel [default: any]', min: 1, max: 65_535 }),
  ack: Flags.option({
    options: ['stored', 'forwarded'] as const,
    summary: "answer the sender once stored, or with your app's status [default: stored]",
  })(),
  concurrency: count({ summary: 'parallel requests to one target [default: 8]', min: 1, max: 256 }),
  ordered: Flags.option({
    options: ['resource', 'all'] as const,
    summary: 'keep the order of each resource, or of all; --ordered alone means resource',
  })(),
  'no-dedupe': Flags.boolean({ summary: 'also forward an event id that your app already accepted' }),
  'give-up-after': duration({ summary: 'stop retrying a delivery after this long [default: never]' }),
  timeout: duration({ summary: 'time limit for each attempt at your app [default: 10s]' }),
  chaos: Flags.string({ helpValue: '<faults>', summary: 'inject faults: duplicate=5%,reorder=10%,delay=2s,drop=1%' }),
  'chaos-seed': Flags.string({
    helpValue: '<text>',
    summary: 'the same seed injects the same faults [default: random]',
  }),
  tolerance: count({
    helpValue: '<seconds>',
    summary: 'maximum age of a signature in seconds [default: 300]',
    min: 1,
    max: 86_400,
  }),
  'skip-verify': Flags.boolean({ summary: 'accept deliveries without checking signatures; never on live' }),
  yes: Flags.boolean({ char: 'y', summary: 'do not ask before registering an endpoint on live' }),
  ...secretFlags,
};
