/** From the flags of `sandbox start` to a listening sandbox that the other commands find. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as Flags from '@oclif/core/flags';
import { localProfile } from '../../auth/credentials/choose-credential.ts';
import { LOCAL_CLIENT, findProfile, updateConfig, withProfile } from '../../auth/credentials/profiles.ts';
import { findProvider } from '../../auth/providers/provider.ts';
import { isLoopback } from '../../contract/environments.ts';
import type { RecordExchange } from '../../contract/exchange.ts';
import { isRecord } from '../../contract/json.ts';
import { Failure, usage } from '../../failure.ts';
import { hasOtherUsers } from '../../files/ownership.ts';
import { replaceFile } from '../../files/private-files.ts';
import type { SandboxOptions } from '../../sandbox/sandbox.ts';
import type { ReservedCompany } from '../../sandbox/state/objects.ts';
import type { Context } from '../context.ts';
import { count } from '../flags.ts';
import { note } from '../output/write.ts';
import { writeRunFile, removeRunFile } from './running-sandbox.ts';

export interface SandboxFlags {
  port?: number | undefined;
  host?: string | undefined;
  seed?: string | undefined;
  provider?: 'credicorp' | 'acountpay' | undefined;
  tier?: 'build' | 'launch' | 'scale' | undefined;
  'no-rate-limit': boolean;
  'no-auto-submit': boolean;
  lenient: boolean;
  strict: boolean;
  companies?: string | undefined;
  data?: string | undefined;
  'clock-start'?: string | undefined;
  'clock-frozen': boolean;
  speed?: string | undefined;
  'jwt-alg'?: 'ES256' | 'RS256' | undefined;
  'v1-order'?: 'new-first' | 'old-first' | undefined;
  'webhook-debug-headers': boolean;
  'admin-token': boolean;
  'ready-file'?: string | undefined;
}

export type SandboxStartOptions = Omit<SandboxOptions, 'baseUrl' | 'version' | 'now' | 'record'> & {
  host: string;
  port: number;
  readyFile: string | null;
};

/** What is printed once it listens, and written to the ready file. */
export interface Ready {
  type: 'ready';
  base_url: string;
  client_id: string;
  client_secret: string;
  /** null where the API has none. */
  secret_key: string | null;
  /** For the admin routes; null where they need none. */
  admin_token: string | null;
  seed: string;
  pid: number;
  started_at: string;
}

export interface StartedSandbox {
  url: string;
  /** The one in force: a data file brings its own. */
  seed: string;
  stop(): Promise<void>;
}

export async function sandboxOptions(context: Context, flags: SandboxFlags): Promise<SandboxStartOptions> {
  const start = flags['clock-start'] === undefined ? undefined : Date.parse(flags['clock-start']);
  if (Number.isNaN(start))
    throw usage('the clock start is not an instant', { param: '--clock-start', next: 'write 2026-07-04T10:00:00Z' });
  const speed = flags.speed === undefined ? 1 : Number(flags.speed);
  if (!(speed > 0 && speed <= 1_000_000))
    throw usage('the speed is not a factor above 0', { param: '--speed', next: 'write --speed 60' });
  if (flags.provider === 'acountpay' && flags.data !== undefined)
    throw usage('the AcountPay sandbox cannot save its state', { param: '--data', next: 'leave --data out' });
  return {
    host: flags.host ?? '127.0.0.1',
    port: flags.port ?? 4010,
    seed: flags.seed ?? context.uuid().slice(-12),
    provider: flags.provider ?? 'credicorp',
    tier: flags.tier ?? 'build',
    rateLimit: !flags['no-rate-limit'],
    clock: { ...(start === undefined ? {} : { start }), speed, frozen: flags['clock-frozen'] },
    autoSubmit: !flags['no-auto-submit'],
    lenient: flags.lenient,
    strict: flags.strict,
    jwtAlg: flags['jwt-alg'] ?? 'ES256',
    v1Order: flags['v1-order'] ?? 'new-first',
    webhookDebugHeaders: flags['webhook-debug-headers'],
    readyFile: flags['ready-file'] === undefined ? null : resolve(context.cwd, flags['ready-file']),
    ...(flags.companies === undefined ? {} : { companies: await readCompanies(context, flags.companies) }),
    ...(flags.data === undefined ? {} : { data: resolve(context.cwd, flags.data) }),
    ...adminToken(context, flags['admin-token']),
    ...(context.env['CREDICORP_SANDBOX_LOG_TOKEN'] ? { logToken: context.env['CREDICORP_SANDBOX_LOG_TOKEN'] } : {}),
  };
}

/** The token from the environment, else a new one where one is asked for. */
function adminToken({ env, secureBytes }: Context, wanted: boolean): { adminToken?: string } {
  const given = env['CREDICORP_SANDBOX_ADMIN_TOKEN'];
  if (given) return { adminToken: given };
  return wanted ? { adminToken: `ccadmin_${secureBytes(24).toString('base64url')}` } : {};
}

/** @throws Failure when the port is taken or the data file cannot be used. */
export async function startSandbox(
  context: Context,
  prepared: SandboxStartOptions,
  version: string,
  record: RecordExchange,
): Promise<StartedSandbox> {
  const { serveSandbox } = await import('../../sandbox/sandbox-server.ts');
  const { readyFile: _, ...options } = prepared;
  if (!isLoopback(prepared.host)) {
    note(
      context,
      `warning: listening on ${prepared.host}: other machines can reach this sandbox; its admin routes stay on loopback`,
    );
  } else if (options.adminToken === undefined && context.stderr.isTTY === true && hasOtherUsers()) {
    note(
      context,
      'note: other users of this machine can call it too, admin routes included; --admin-token closes those',
    );
  }
  const server = await serveSandbox({ ...options, version, now: context.now, record });
  for (const notice of server.sandbox.notices) note(context, `note: ${notice}`);
  return {
    url: server.url,
    seed: server.sandbox.seed,
    stop: async () => {
      try {
        await server.close();
      } catch (error) {
        // Who ends it by a signal gets status 0; the rest is said here.
        if (!(error instanceof Failure)) throw error;
        note(context, `warning: ${error.message}; ${error.facts.next ?? ''}`);
      } finally {
        // Last: `sandbox stop` waits until the run file is gone, because a process that its parent does not reap seems to run for ever.
        await removeRunFile(context, context.pid);
      }
    },
  };
}

/** Tells the other commands: writes the run file, the profile `local`, the ready file. */
export async function sandboxReady(
  context: Context,
  server: StartedSandbox,
  prepared: SandboxStartOptions,
): Promise<Ready> {
  const provider = prepared.provider ?? 'credicorp';
  const client = findProvider(provider, context.paths.config).localClient ?? LOCAL_CLIENT;
  const profile = { ...localProfile(server.url), provider, clientId: client.id };
  // `local` stays the profile of the usual sandbox.
  const name = provider === 'credicorp' ? profile.name : `${provider}-${profile.name}`;
  const ready: Ready = {
    type: 'ready',
    base_url: server.url,
    client_id: client.id,
    client_secret: client.secret,
    secret_key: provider === 'credicorp' ? 'sk_test_local' : null,
    admin_token: prepared.adminToken ?? null,
    seed: server.seed,
    pid: context.pid,
    started_at: new Date(context.now()).toISOString(),
  };
  try {
    writeRunFile(context, { ...ready, provider });
    await updateConfig(context.paths.config, (config) =>
      withProfile(config, { ...findProfile(config, name), ...profile, name }),
    );
    if (prepared.readyFile) replaceFile(prepared.readyFile, `${JSON.stringify(ready)}\n`, 0o600);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return ready;
}

/** The ready line for a terminal. */
export function readyLine(line: unknown): string {
  const ready = line as Ready;
  const next =
    ready.secret_key === null
      ? 'credicorp api POST /v1/partner/payments --profile acountpay-local --merchant test_merchant_success …'
      : 'credicorp apps create --company 16093826';
  return [
    `sandbox ready at ${ready.base_url}`,
    `  client id      ${ready.client_id}`,
    `  client secret  ${ready.client_secret}`,
    ...(ready.secret_key === null ? [] : [`  secret key     ${ready.secret_key}`]),
    ...(ready.admin_token === null ? [] : [`  admin token    ${ready.admin_token}`]),
    `  seed           ${ready.seed}`,
    `  next           ${next}   (in another terminal; Ctrl-C here ends the sandbox)`,
  ].join('\n');
}

const UNSAID = { documented: false, outcome: null, reason: null, notes: '' };
const EFFECTS = [
  'approve',
  'refer_then_approve',
  'decline',
  'slow_approve',
  'refer_hold',
  'reject_not_eligible',
  'reject_not_found',
];

async function readCompanies(context: Context, file: string): Promise<NonNullable<SandboxOptions['companies']>> {
  const path = resolve(context.cwd, file);
  const next =
    'it is a JSON array of rows with number, name, effect, outcome and reason, as sandbox companies --json prints it';
  try {
    const rows: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (Array.isArray(rows) && rows.every(isCompany)) return rows.map((row) => ({ ...UNSAID, ...row }));
  } catch (error) {
    throw usage(`the companies file cannot be read: ${path}`, { param: '--companies', next }, error);
  }
  throw usage(`the companies file has a row that is not a company: ${path}`, { param: '--companies', next });
}

function isCompany(row: unknown): row is ReservedCompany {
  return (
    isRecord(row) &&
    /^[A-Z0-9]{8}$/.test(String(row['number'])) &&
    typeof row['name'] === 'string' &&
    EFFECTS.includes(String(row['effect']))
  );
}

// The flags of `sandbox start` (sandbox.md#start-up).

export const SANDBOX_FLAGS = {
  background: Flags.boolean({ char: 'b', summary: 'run in the background; stop it with sandbox stop' }),
  port: count({ summary: 'port to listen on, 0 for any free one [default: 4010]', max: 65_535 }),
  host: Flags.string({
    summary: 'address to listen on; if it is not loopback, other machines can reach it [default: 127.0.0.1]',
  }),
  seed: Flags.string({ helpValue: '<text>', summary: 'the same seed gives the same ids [default: random]' }),
  provider: Flags.option({
    options: ['credicorp', 'acountpay'] as const,
    summary:
      'whose API to imitate; acountpay: its token and payment calls, profile acountpay-local [default: credicorp]',
  })(),
  tier: Flags.option({
    options: ['build', 'launch', 'scale'] as const,
    summary: 'tier whose rate limits apply [default: build]',
  })(),
  'no-rate-limit': Flags.boolean({ summary: 'never answer 429' }),
  'no-auto-submit': Flags.boolean({
    summary: "wait for the applicant's form or apps submit, instead of submitting automatically",
  }),
  lenient: Flags.boolean({ summary: 'approve unknown companies instead of refusing them' }),
  strict: Flags.boolean({ summary: 'require an e-mail address or return URL on create, as documented' }),
  companies: Flags.string({
    helpValue: '<file>',
    summary: 'file with more reserved companies, in the format of sandbox companies --json',
  }),
  data: Flags.string({ helpValue: '<file>', summary: 'save the state in this file [default: memory only]' }),
  'clock-start': Flags.string({ helpValue: '<instant>', summary: 'start time of the sandbox clock (ISO 8601)' }),
  'clock-frozen': Flags.boolean({ summary: 'only sandbox clock advance moves the clock' }),
  speed: Flags.string({
    helpValue: '<factor>',
    summary: 'how much faster than real time the clock runs [default: 1]',
  }),
  'jwt-alg': Flags.option({
    options: ['ES256', 'RS256'] as const,
    summary: 'algorithm of access tokens [default: ES256]',
  })(),
  'v1-order': Flags.option({
    options: ['new-first', 'old-first'] as const,
    summary: 'order of the two signatures while a secret is rotated',
  })(),
  'webhook-debug-headers': Flags.boolean({ summary: 'add event id and attempt to deliveries' }),
  'admin-token': Flags.boolean({
    summary: 'close the admin routes to other users of this machine: they need a token, which it prints',
  }),
  'ready-file': Flags.string({ helpValue: '<file>', summary: 'write the ready line to this file once it listens' }),
};
