/** What a write would send, as a document and as a line for a shell. The credential is a command, never a value. */
import { type Endpoint, type EndpointName, ENDPOINTS } from '../api/endpoints.ts';
import { type Operation, pathOf } from '../api/operate.ts';
import type { Identity } from '../auth/identity.ts';
import { writeJson } from '../contract/json.ts';
import { object, type Result } from './result.ts';

export function plannedRequest(identity: Identity, name: EndpointName, operation: Operation): Result {
  const endpoint: Endpoint = ENDPOINTS[name];
  const url = `${identity.base.value}${pathOf(endpoint, operation.id)}`;
  const headers: Record<string, string> = { Accept: 'application/json', Authorization: 'Bearer [redacted]' };
  if (operation.body !== undefined) headers['Content-Type'] = 'application/json';
  headers['Idempotency-Key'] = operation.idempotencyKey ?? '(a new UUID)';
  const document = { dry_run: true, method: endpoint.method, url, headers, body: operation.body ?? null };
  return object(document, { id: null, human: `${curl(identity, endpoint.method, url, operation)}\n` });
}

/** Ready to paste: mints its own token and, unless a key was given, its own idempotency key. */
function curl(identity: Identity, method: string, url: string, operation: Operation): string {
  const profile = identity.profile ? ` --profile ${identity.profile.value}` : '';
  const key = operation.idempotencyKey === undefined ? '"$(uuidgen)"' : quoted(operation.idempotencyKey);
  const parts = [
    `curl --fail-with-body -X ${method} ${quoted(url)}`,
    `-H "Authorization: Bearer $(credicorp token${profile})"`,
    `-H Idempotency-Key:${key}`,
  ];
  if (operation.body !== undefined)
    parts.push("-H 'Content-Type: application/json'", `--data-raw ${quoted(writeJson(operation.body))}`);
  return parts.join(' \\\n  ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
