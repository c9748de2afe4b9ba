/** From the flags of `webhooks listen` to what a listener is told. */
import type * as Interfaces from '@oclif/core/interfaces';
import { isLoopback } from '../../contract/environments.ts';
import { usage } from '../../failure.ts';
import type { ListenOptions } from '../../webhooks/listen/listen.ts';
import type { Tunnel } from '../../webhooks/tunnels/tunnel-programs.ts';
import type { Context } from '../context.ts';
import { inboxScope } from './inbox.ts';
import type { listenFlags } from './listen-flags.ts';
import { endpointActs, type ListenerSecrets } from './listening.ts';
import { note } from '../output/write.ts';
import { presenceEvery } from './presence.ts';
import type { Session } from '../session.ts';
import { givenSecrets } from './signing.ts';
import { type OtherSecrets, otherSecrets } from './webhook-secrets.ts';

export type ListenFlags = Interfaces.InferredFlags<typeof listenFlags>;

export interface Prepared {
  options: ListenOptions;
  secrets: ListenerSecrets;
  /** Looks again for the secrets that explain: another endpoint may have been made. */
  refresh(): Promise<void>;
}

/** @throws Failure `usage` for anything that cannot work, before anything is sent */
export async function listenOptions(
  context: Context,
  session: Session,
  flags: ListenFlags,
  signal: AbortSignal,
): Promise<Prepared> {
  const way = await targetsOf(flags);
  const exposed = await exposureOf(context, session, flags);
  const secrets: ListenerSecrets = { own: null, endpoint: null };
  const given = await givenSecretsOf(context, session, flags);
  const { identity } = session;
  const own = { account: identity.account, environment: identity.environment.value };
  let others: OtherSecrets = { environment: [], endpoint: [] };
  const refresh = async (): Promise<void> => {
    others = await otherSecrets(context, session, own, secrets.endpoint);
  };
  const options: ListenOptions = {
    ...way,
    ...exposed,
    ...{ store: session.store(), scope: inboxScope(identity), environment: identity.environment.value },
    ...{ signal, now: context.now, ticks: context.ticks, random: context.random, pid: context.pid },
    endpoints: endpointActs(context, session, secrets),
    endpointCheckMs: presenceEvery(session),
    token: () => context.secureBytes(24).toString('base64url'),
    isAlive: (pid) => context.signalProcess(pid, 0),
    record: session.writeDown(),
    secrets: () => given,
    otherSecrets: () => others,
    ...conductOf(context, flags),
    ...(await chaosOf(context, flags)),
  };
  return { options, secrets, refresh };
}

/** How deliveries are judged, kept apart and repeated. */
function conductOf(context: Context, flags: ListenFlags): Partial<ListenOptions> {
  if (flags['skip-verify'])
    note(
      context,
      'warning: --skip-verify: signatures are NOT checked; anybody who finds the address can forge deliveries',
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
      next: 'for example: --forward localhost:3000/hook; or --no-forward to keep deliveries only',
    });
  }
  const { parseRoute, parseTarget } = await import('../../webhooks/forward/targets.ts');
  const allowed = { allowRemote: flags['allow-remote'] };
  return {
    forward: flags.forward === undefined ? null : parseTarget(flags.forward, allowed),
    routes: (flags.route ?? []).map((text) => parseRoute(text, allowed)),
  };
}

/** Loopback for a sandbox on this machine; everything else needs a way in from outside. */
async function exposureOf(context: Context, session: Session, flags: ListenFlags): Promise<{ tunnel?: Tunnel }> {
  const address = flags['public-url'];
  if (address === undefined && flags.tunnel === undefined) {
    const { environment, base } = session.identity;
    if (isLoopback(new URL(base.value).hostname)) return {};
    throw usage(`the ${environment.value} API cannot reach a port on this machine`, {
      code: 'not_reachable',
      next: 'give it a way in: --tunnel cloudflared, --tunnel ssh:user@host, --public-url https://…; or use credicorp sandbox start',
    });
  }
  const { parsePublicUrl, parseTunnel, publicTunnel } = await import('../../webhooks/tunnels/tunnel-programs.ts');
  const publicUrl = address === undefined ? undefined : parsePublicUrl(address);
  if (flags.tunnel === undefined) {
    if (flags.port === undefined)
      throw usage('--public-url leads to a port of this machine, so say which', {
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

/** Only what was given on purpose counts as a live secret besides the endpoint's own. */
async function givenSecretsOf(context: Context, session: Session, flags: ListenFlags): Promise<string[]> {
  if (!flags['secret-stdin'] && flags['secret-file'] === undefined) return [];
  const given = await givenSecrets(context, flags);
  for (const secret of given) session.hide(secret);
  return given;
}

async function chaosOf(context: Context, flags: ListenFlags): Promise<Pick<ListenOptions, 'faults'>> {
  if (flags.chaos === undefined) {
    if (flags['chaos-seed'] !== undefined) throw usage('--chaos-seed needs --chaos', { param: '--chaos-seed' });
    return {};
  }
  const { parseDeliveryFaults, seededRandom } = await import('../../webhooks/forward/delivery-faults.ts');
  const settings = parseDeliveryFaults(flags.chaos);
  const seed = flags['chaos-seed'] ?? context.secureBytes(4).toString('hex');
  note(context, `chaos on purpose; the same again: --chaos-seed ${seed}`);
  return { faults: { settings, random: seededRandom(seed) } };
}
