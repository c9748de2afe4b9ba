/** The flags of `webhooks listen`, and the options of the listener that they make. */
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { isLoopback } from '../../contract/environments.ts';
import { usage } from '../../failure.ts';
import type { ListenOptions } from '../../webhooks/listen/listen.ts';
import type { Tunnel } from '../../webhooks/tunnels/tunnel-programs.ts';
import type { Context } from '../context.ts';
import { count, duration } from '../flags.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';
import { createEndpointApi, type ListenerSecrets, endpointCheckInterval } from './endpoint-api.ts';
import { inboxScope } from './local-inbox.ts';
import {
  explainRefusal,
  followRotation,
  givenListenerSecret,
  lastFour,
  listenerSecret,
  type ListenerSigning,
} from './listener-secret.ts';
import { givenSecrets, secretFlags } from './signing.ts';
import { type OtherSecrets, otherSecrets } from './webhook-secrets.ts';

export type ListenFlags = Interfaces.InferredFlags<typeof listenFlags>;

export interface ListenerSetup {
  options: ListenOptions;
  secrets: ListenerSecrets;
  /** What signs for the app; null when the sender's own signature is passed on. */
  signing: ListenerSigning | null;
  /** Notices when another process rotates the listener's own secret. @returns ends it */
  followRotation(): () => void;
  /** Reads the secrets that explain mismatches again: another endpoint may have been created. */
  refresh(): Promise<void>;
}

/** @throws Failure `usage` for anything that cannot work, before anything is sent */
export async function listenerOptions(
  context: Context,
  session: Session,
  flags: ListenFlags,
  signal: AbortSignal,
): Promise<ListenerSetup> {
  const targets = await targetsOf(flags);
  const tunnel = await tunnelOf(context, session, flags);
  const secrets: ListenerSecrets = { own: null, endpoint: null };
  const signing = await signingOf(context, session, flags);
  const { identity } = session;
  const own = { account: identity.account, environment: identity.environment.value };
  const others: OtherSecrets = { environment: [], endpoint: [] };
  const refresh = async (): Promise<void> => {
    Object.assign(others, await otherSecrets(context, session, own, secrets.endpoint));
  };
  const options: ListenOptions = {
    ...targets,
    ...tunnel,
    ...{ store: session.store(), scope: inboxScope(identity), environment: identity.environment.value },
    ...{ signal, now: context.now, ticks: context.ticks, random: context.random, pid: context.pid },
    endpoints: createEndpointApi(context, session, secrets, signing === null),
    endpointCheckMs: endpointCheckInterval(session),
    token: () => context.secureBytes(24).toString('base64url'),
    processStart: context.processStart,
    endProcess: (pid) => void context.signalProcess(pid, 'SIGTERM'),
    record: session.exchangeRecorder(),
    signing,
    explainRefusal: (refusal) => explainRefusal(context, session, signing, refusal),
    otherSecrets: others,
    ...deliveryOptions(context, flags),
    ...(await chaosOf(context, flags)),
  };
  const follow = (): (() => void) => (signing === null ? () => undefined : followRotation(context, session, signing));
  return { options, secrets, signing, followRotation: follow, refresh };
}

/** How deliveries are verified, ordered, deduplicated and retried. */
function deliveryOptions(context: Context, flags: ListenFlags): Partial<ListenOptions> {
  if (flags['skip-verify'])
    note(
      context,
      'warning: --skip-verify: signatures are NOT checked; anyone who finds the address can forge deliveries',
    );
  return {
    events: flags.events?.split(',').map((type) => type.trim()) ?? ['*'],
    ack: flags.ack ?? 'stored',
    order: flags.ordered ?? 'none',
    dedupe: !flags['no-dedupe'],
    concurrency: flags.concurrency ?? 8,
    timeoutMs: flags.timeout ?? 10_000,
    tolerance: flags.tolerance ?? 300,
    skipVerify: flags['skip-verify'],
    ...(flags['give-up-after'] === undefined ? {} : { retry: { giveUpAfterMs: flags['give-up-after'] } }),
    ...(flags.port === undefined ? {} : { port: flags.port }),
  };
}

async function targetsOf(flags: ListenFlags): Promise<Pick<ListenOptions, 'forward' | 'routes'>> {
  if (flags.forward === undefined && flags.route === undefined && !flags['no-forward']) {
    throw usage('no target to forward to', {
      param: '--forward',
      next: 'for example: --forward localhost:3000/hook; or --no-forward to only store deliveries',
    });
  }
  const { parseRoute, parseTarget } = await import('../../webhooks/forward/targets.ts');
  const allowed = { allowRemote: flags['allow-remote'] };
  return {
    forward: flags.forward === undefined ? null : parseTarget(flags.forward, allowed),
    routes: (flags.route ?? []).map((text) => parseRoute(text, allowed)),
  };
}

/** The tunnel, if one is needed: a sandbox on this machine reaches the loopback port itself. */
async function tunnelOf(context: Context, session: Session, flags: ListenFlags): Promise<{ tunnel?: Tunnel }> {
  const address = flags['public-url'];
  if (address === undefined && flags.tunnel === undefined) {
    const { environment, base } = session.identity;
    if (isLoopback(new URL(base.value).hostname)) return {};
    throw usage(`the ${environment.value} API cannot reach a port on this machine`, {
      code: 'not_reachable',
      next: 'make this machine reachable: --tunnel cloudflared, --tunnel ssh:user@host, --public-url https://…; or use credicorp sandbox start',
    });
  }
  const { parsePublicUrl, parseTunnel, publicTunnel } = await import('../../webhooks/tunnels/tunnel-programs.ts');
  const publicUrl = address === undefined ? undefined : parsePublicUrl(address);
  if (flags.tunnel === undefined) {
    if (flags.port === undefined)
      throw usage('--public-url needs --port, the port it leads to', {
        param: '--port',
        next: 'add --port 8080',
      });
    return publicUrl === undefined ? {} : { tunnel: publicTunnel(publicUrl) };
  }
  const remotePort = flags['remote-port'];
  return {
    tunnel: parseTunnel(flags.tunnel, {
      env: context.env,
      ...(publicUrl === undefined ? {} : { publicUrl }),
      ...(remotePort === undefined ? {} : { remotePort }),
    }),
  };
}

/** Who signs for the app, said at the start. @throws Failure `usage` for a secret that can be guessed, `auth` for a vault that is locked */
async function signingOf(context: Context, session: Session, flags: ListenFlags): Promise<ListenerSigning | null> {
  const named = flags['secret-stdin'] || flags['secret-file'] !== undefined;
  if (flags['original-signature']) {
    if (named)
      throw usage("--original-signature passes the sender's signature on, so no secret signs", {
        param: '--secret-file',
      });
    note(
      context,
      "warning: --original-signature: retries keep the sender's signature, so an app that keeps to 300 s refuses them later",
    );
    return null;
  }
  const given = await givenSecrets(context, flags);
  for (const secret of given) session.hide(secret);
  if (given.length === 0) {
    const own = await listenerSecret(context, session);
    session.hide(own.current);
    note(context, ownSecretLine(own, context.stderr.isTTY === true));
    return own;
  }
  const variable = context.env['CC_WEBHOOK_SECRET'] ? 'CC_WEBHOOK_SECRET' : 'CREDICORP_WEBHOOK_SECRET';
  const file = flags['secret-file']?.[0];
  const place = file === undefined ? (named ? 'stdin' : `environment variable ${variable}`) : `file ${file}`;
  const signing = givenListenerSecret(given, place, named ? '--secret-file' : variable);
  note(context, `signing secret: ${lastFour(signing.current)}, from ${place}`);
  return signing;
}

/** The complete secret is shown on a terminal only: otherwise stderr may be a build log that many people can read. */
function ownSecretLine({ current, kind, place }: ListenerSigning, onTerminal: boolean): string {
  const shown = onTerminal ? `${current}  ` : lastFour(current);
  if (kind !== 'run') {
    return `signing secret: ${shown} (the same in every run${onTerminal ? '' : '; see: credicorp webhooks secret'})`;
  }
  return `signing secret: ${shown} (${place}; to choose one that stays, set CC_WEBHOOK_SECRET)`;
}

async function chaosOf(context: Context, flags: ListenFlags): Promise<Pick<ListenOptions, 'faults'>> {
  if (flags.chaos === undefined) {
    if (flags['chaos-seed'] !== undefined) throw usage('--chaos-seed needs --chaos', { param: '--chaos-seed' });
    return {};
  }
  const { parseDeliveryFaults, seededRandom } = await import('../../webhooks/forward/delivery-faults.ts');
  const settings = parseDeliveryFaults(flags.chaos);
  const seed = flags['chaos-seed'] ?? context.secureBytes(4).toString('hex');
  note(context, `faults are injected (--chaos); to repeat them: --chaos-seed ${seed}`);
  return { faults: { settings, random: seededRandom(seed) } };
}

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
  exec: Flags.string({ helpValue: '<command>', summary: 'run this command when ready, and exit with its status' }),
  'ready-file': Flags.string({ helpValue: '<file>', summary: 'write the ready event to this file' }),
  inspect: count({
    helpValue: '<port>',
    summary: 'show the deliveries live in a browser; --inspect alone uses any free port',
    min: 0,
    max: 65_535,
  }),
  port: count({ summary: 'loopback port to receive on [default: any free one]', min: 1, max: 65_535 }),
  'public-url': Flags.string({ helpValue: '<url>', summary: 'your https URL that leads to --port' }),
  tunnel: Flags.string({
    helpValue: '<tunnel>',
    summary: 'public URL by ssh:user@host[:port], cloudflared or ngrok',
  }),
  'remote-port': count({
    summary: 'port on the remote host of an ssh tunnel [default: any free one]',
    min: 1,
    max: 65_535,
  }),
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
  'give-up-after': duration({ summary: 'stop retrying a delivery this long after it came in [default: 72h]' }),
  'original-signature': Flags.boolean({
    aliases: ['no-resign'],
    summary: "pass the sender's signature on unchanged; alias --no-resign",
  }),
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
