/** Reads the status of the platform, without a credential (partner-api.md#keyless-routes). The worst component decides, not the overall status. */
import type { Send } from '../contract/exchange.ts';
import { isRecord, parseJson } from '../contract/json.ts';
import { Failure } from '../failure.ts';

/** `down`: it does not answer. Every status except `operational` is treated as `degraded`. */
export type PlatformStatus = 'operational' | 'degraded' | 'down';

export interface Platform {
  status: PlatformStatus;
  /** Why it is down or degraded, in one line; null when it is operational. */
  reason: string | null;
  components: { name: string; status: string }[];
}

const MOST_COMPONENTS = 200;

/** Requests health and status at the same time. @throws Failure `interrupted`; `not_found` when the host has neither route */
export async function platformStatus(
  send: Send,
  base: string,
  limits: { timeoutMs: number; signal: AbortSignal },
): Promise<Platform> {
  const ask = (path: string) =>
    send({
      method: 'GET',
      url: `${new URL(base).origin}${path}`,
      headers: { accept: 'application/json' },
      ...limits,
    }).catch((error: unknown) => {
      if (error instanceof Failure && error.kind === 'unavailable') return error;
      throw error;
    });
  const [health, status] = await Promise.all([ask('/public/v1/healthz'), ask('/public/v1/status')]);
  if (health instanceof Failure) return { status: 'down', reason: health.message, components: [] };
  const components = status instanceof Failure || status.status !== 200 ? null : componentsOf(status.text);
  if (health.status >= 500) {
    return { status: 'down', reason: `the health route returned ${health.status}`, components: components ?? [] };
  }
  if (health.status === 404 && !(status instanceof Failure) && status.status === 404) {
    throw new Failure('not_found', 'this host has no status page', {
      status: 404,
      code: 'not_offered',
      next: 'check that it is the API: `credicorp whoami` shows the base and where it comes from',
    });
  }
  if (components === null) {
    const what = status instanceof Failure ? status.message : `the status route returned ${status.status}`;
    return {
      status: 'degraded',
      reason: `the API answers, but its status page cannot be read: ${what}`,
      components: [],
    };
  }
  const worst = components.filter((component) => !isOperational(component.status));
  if (worst.length === 0) return { status: 'operational', reason: null, components };
  const names = worst.map((component) => `${component.name} ${component.status}`).join(', ');
  return { status: 'degraded', reason: names, components };
}

/** The components of the status document, plus the overall status as one more; null when it cannot be parsed. */
function componentsOf(text: string): Platform['components'] | null {
  const document = read(text);
  if (document === null) return null;
  const rows = Array.isArray(document['components'])
    ? document['components'].slice(0, MOST_COMPONENTS).filter(isRecord)
    : [];
  const components = rows.map((row) => ({
    name: String(row['name'] ?? 'unnamed'),
    status: String(row['status'] ?? 'unknown'),
  }));
  const banner = document['status'];
  // If the overall status is worse than every component, it decides.
  if (typeof banner === 'string' && !isOperational(banner) && components.every(({ status }) => isOperational(status))) {
    components.unshift({ name: 'platform', status: banner });
  }
  return components.length > 0 || typeof banner === 'string' ? components : null;
}

function isOperational(status: string): boolean {
  return status.toLowerCase() === 'operational';
}

function read(text: string): Record<string, unknown> | null {
  try {
    const document = parseJson(text);
    return isRecord(document) ? document : null;
  } catch {
    return null;
  }
}
