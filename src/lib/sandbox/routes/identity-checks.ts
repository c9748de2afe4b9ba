/** Identity checks (partner-api.md#identity-checks). */
import { type SandboxAnswer, type SandboxCall, json, projectOf } from '../http/call.ts';
import {
  at,
  companyNumberType,
  dayType,
  emailType,
  type Field,
  metadata,
  objectType,
  textType,
  textField,
  unknownMembers,
  validateRanges,
  validateTypes,
} from '../http/fields.ts';
import { refuse } from '../http/refusal.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { IdentityKept } from '../state/objects.ts';
import { newId, plan, type SandboxState, save, stamp } from '../state/state.ts';
import { sentMetadata, optionalText } from './applications.ts';

const LIST = '/partner/v1/identity/checks';

export function identityRoutes(state: SandboxState): SandboxRoute[] {
  return [
    { method: 'POST', path: LIST, plane: 'partner', handle: (call) => create(state, call) },
    { method: 'GET', path: `${LIST}/:id`, plane: 'partner', handle: (call) => json(200, find(state, call).resource) },
  ];
}

const SUBJECT = ['first_name', 'last_name', 'date_of_birth', 'address', 'email', 'company_number'];

export const IDENTITY_FIELDS: readonly Field[] = [
  { ...textField('subject.first_name', 100, 1), required: true },
  { ...textField('subject.last_name', 100, 1), required: true },
  { path: 'subject.date_of_birth', type: dayType },
  { path: 'subject.address', type: objectType },
  ...['line1', 'city', 'postcode', 'country'].map((part) => ({ path: `subject.address.${part}`, type: textType })),
  { path: 'subject.email', type: emailType },
  { path: 'subject.company_number', type: companyNumberType },
  { path: 'application_id', type: textType },
  textField('reference', 128),
  metadata,
];

function create(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const { body } = call;
  validateTypes(body, IDENTITY_FIELDS);
  const bare = at(body, 'subject.date_of_birth') === undefined && at(body, 'subject.address') === undefined;
  validateRanges(body, IDENTITY_FIELDS, bare ? [TOO_LITTLE] : []);
  for (const name of unknownMembers(body, IDENTITY_FIELDS))
    call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  const project = projectOf(call);
  const applicationId = optionalText(body, 'application_id');
  if (applicationId !== null && state.applications.of(project, applicationId) === undefined) {
    throw refuse('resource_missing', 'No such application.', 'application_id');
  }
  const kept: IdentityKept = {
    n: state.identity_checks.nextNumber(),
    project,
    resource: {
      id: newId(state, 'identity_checks'),
      status: 'pending',
      subject: subjectOf(body),
      checks: [],
      application_id: applicationId,
      reference: optionalText(body, 'reference'),
      created_at: stamp(state),
      completed_at: null,
      metadata: sentMetadata(body),
    },
  };
  state.identity_checks.add(kept);
  save(state, 'identity_checks', kept);
  plan(state, 'identity', kept.resource.id);
  call.resourceIds = [kept.resource.id, ...(applicationId === null ? [] : [applicationId])];
  return json(201, kept.resource);
}

const TOO_LITTLE = {
  param: 'subject.date_of_birth',
  code: 'validation_error',
  message: 'Too little to check: send subject.date_of_birth or subject.address.',
};

/** The known members that were sent, in documented order. */
function subjectOf(body: unknown): Record<string, unknown> {
  const sent = SUBJECT.flatMap((name) => {
    const value = at(body, `subject.${name}`);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(sent);
}

function find(state: SandboxState, call: SandboxCall): IdentityKept {
  const id = call.params['id'] ?? '';
  const kept = state.identity_checks.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such identity check: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return kept;
}
