/** Applications (partner-api.md#applications). */
import * as z from 'zod/mini';
import { type SandboxAnswer, type SandboxCall, json, projectOf } from '../http/call.ts';
import {
  at,
  companyNumberType,
  dayType,
  described,
  emailType,
  type Field,
  type FieldProblem,
  instantType,
  integerType,
  metadata,
  oneOf,
  returnUri,
  textType,
  textField,
  unknownMembers,
  validateRanges,
  validateTypes,
  within,
} from '../http/fields.ts';
import { refuse } from '../http/refusal.ts';
import { submit, withdraw } from '../lifecycle/application-lifecycle.ts';
import type { SandboxRoute } from '../requests/router.ts';
import { whyIneligible } from '../state/companies.ts';
import { cutPage, PAGE_QUERY, readPageQuery } from '../state/cursors.ts';
import type { ApplicationKept, ApplicationObject, ApplicationStatus, Metadata } from '../state/objects.ts';
import { newId, plan, type SandboxState, save, stamp } from '../state/state.ts';

const STATUSES: readonly ApplicationStatus[] = [
  'created',
  'submitted',
  'in_review',
  'approved',
  'declined',
  'funded',
  'withdrawn',
];

export const APPLICATION_QUERY: readonly Field[] = [
  { path: 'status', type: oneOf(...STATUSES) },
  {
    path: 'created_after',
    type: described(z.union([dayType, instantType]), 'a date (its 00:00 UTC) or an ISO 8601 instant'),
  },
  ...PAGE_QUERY,
];

const LIST = '/partner/v1/applications';

export function applicationRoutes(state: SandboxState): SandboxRoute[] {
  const fields = applicationFields((number) => whyIneligible(state.companies, number));
  return [
    { method: 'POST', path: LIST, plane: 'partner', handle: (call) => create(state, fields, call) },
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => list(state, call) },
    {
      method: 'GET',
      path: `${LIST}/:id`,
      plane: 'partner',
      handle: (call) => json(200, findApplication(state, call).resource),
    },
    { method: 'POST', path: `${LIST}/:id/submit`, plane: 'partner', handle: (call) => submitted(state, call) },
    { method: 'POST', path: `${LIST}/:id/withdraw`, plane: 'partner', handle: (call) => withdrawn(state, call) },
  ];
}

function create(state: SandboxState, fields: readonly Field[], call: SandboxCall): SandboxAnswer {
  const { body } = call;
  const unnamed = at(body, 'applicant.email') === undefined && at(body, 'redirect_uri') === undefined;
  validateTypes(body, fields, unnamed && state.settings.strict ? [EMAIL_MISSING] : []);
  validateRanges(body, fields);
  if (unnamed) call.notes.push('neither applicant.email nor redirect_uri: strict mode answers 400 parameter_missing');
  for (const name of unknownMembers(body, fields)) call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  const kept = store(state, projectOf(call), body);
  call.resourceIds = [kept.resource.id];
  if (state.settings.autoSubmit) plan(state, 'submit', kept.resource.id);
  return { ...json(201, kept.resource), again: { resource: kept.resource, render: renderCreated } };
}

/** The resource as it was at creation: what was requested never changes, the other members began empty. */
function renderCreated(resource: object): string {
  const { created_at } = resource as ApplicationObject;
  return JSON.stringify({ ...resource, ...BEGINNING, updated_at: created_at });
}

const BEGINNING = {
  status: 'created',
  decision_id: null,
  account_id: null,
  submitted_at: null,
  decided_at: null,
  funded_at: null,
  withdrawn_at: null,
};

const EMAIL_MISSING = {
  param: 'applicant.email',
  code: 'parameter_missing',
  message: 'Missing required parameter: applicant.email (or redirect_uri).',
};

function store(state: SandboxState, project: ApplicationKept['project'], body: unknown): ApplicationKept {
  const id = newId(state, 'applications');
  const token = state.ids.bare('journey');
  const kept = {
    n: state.applications.nextNumber(),
    project,
    resource: compose(state, body, id, token),
    token,
    refresh: null,
  };
  state.applications.add(kept);
  save(state, 'applications', kept);
  return kept;
}

/** Members in the order of the published example. */
function compose(state: SandboxState, body: unknown, id: string, token: string): ApplicationObject {
  const now = stamp(state);
  const number = String(at(body, 'business.company_number')).toUpperCase();
  return {
    id,
    status: 'created',
    amount_pence: Number(at(body, 'amount_pence')),
    term_months: Number(at(body, 'term_months')),
    handoff_url: `${state.settings.baseUrl}/apply/s/${token}`,
    created_at: now,
    business: state.companies.businessOf(number),
    currency: 'GBP',
    purpose: PURPOSES.find((purpose) => purpose === at(body, 'purpose')) ?? null,
    applicant: applicantOf(body),
    redirect_uri: optionalText(body, 'redirect_uri'),
    reference: optionalText(body, 'reference'),
    introduction_id: optionalText(body, 'introduction_id'),
    metadata: sentMetadata(body),
    decision_id: null,
    account_id: null,
    updated_at: now,
    submitted_at: null,
    decided_at: null,
    funded_at: null,
    withdrawn_at: null,
  };
}

function applicantOf(body: unknown): ApplicationObject['applicant'] {
  const address = optionalText(body, 'applicant.email');
  const name = optionalText(body, 'applicant.first_name');
  if (address === null && name === null) return null;
  return { ...(address === null ? {} : { email: address }), ...(name === null ? {} : { first_name: name }) };
}

/** An optional text member that was checked; null when absent. */
export function optionalText(body: unknown, path: string): string | null {
  const value = at(body, path);
  return typeof value === 'string' ? value : null;
}

const NO_METADATA: Metadata = {};

/** Metadata that was checked, as it was sent. */
export function sentMetadata(body: unknown): Metadata {
  const entries = Object.entries(at(body, 'metadata') ?? {});
  return entries.length === 0 ? NO_METADATA : Object.fromEntries(entries.map(([key, member]) => [key, String(member)]));
}

function list(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const page = readPageQuery(call.search, state.seed, LIST, APPLICATION_QUERY);
  const status = call.search.get('status');
  const since = call.search.get('created_after');
  // A day is its first instant, 00:00 UTC; inclusive (partner-api.md#read-list-submit-and-withdraw-applications).
  const after = since === null ? -Infinity : Date.parse(since);
  const accept = ({ resource }: ApplicationKept): boolean =>
    (status === null || resource.status === status) && Date.parse(resource.created_at) >= after;
  const records = state.applications.list(projectOf(call));
  const filtered = status !== null || since !== null;
  return json(
    200,
    cutPage(records, page, state.seed, LIST, ({ resource }) => resource, filtered ? accept : undefined),
  );
}

/** @throws Refusal 404 */
function findApplication(state: SandboxState, call: SandboxCall, id = call.params['id'] ?? ''): ApplicationKept {
  const kept = state.applications.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such application: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [kept.resource.id];
  return kept;
}

function submitted(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const kept = findApplication(state, call);
  if (kept.resource.status !== 'created') throw conflict(kept, 'submitted');
  submit(state, kept);
  return json(200, kept.resource);
}

function withdrawn(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const kept = findApplication(state, call);
  if (!['created', 'submitted', 'in_review', 'approved'].includes(kept.resource.status))
    throw conflict(kept, 'withdrawn');
  withdraw(state, kept);
  return json(200, kept.resource);
}

function conflict({ resource }: ApplicationKept, act: string): Error {
  return refuse('state_conflict', `The application is ${resource.status} and cannot be ${act}.`);
}

// The rules of an application's fields (partner-api.md#create-an-application).

/** The two inputs a decision is made on; a refresh takes them too (partner-api.md#decisions). */
export const AMOUNT_AND_TERM: readonly Field[] = [
  {
    path: 'amount_pence',
    required: true,
    type: integerType,
    range: integerType.check(
      z.gte(100_000, 'amount_pence is under 100000 (£1,000).'),
      z.lte(25_000_000, 'amount_pence is over 25000000 (£250,000).'),
    ),
    codes: { too_small: 'amount_below_minimum', too_big: 'amount_above_maximum' },
  },
  {
    path: 'term_months',
    required: true,
    type: integerType,
    range: within(integerType, 3, 60, 'term_months is outside 3 to 60.'),
    codes: { too_small: 'term_out_of_range', too_big: 'term_out_of_range' },
  },
];

const PURPOSES = ['working_capital', 'asset_finance', 'expansion', 'refinance', 'stock'];

/** The rows of partner-api.md#create-an-application, in its order. `eligible` checks a number in upper or lower case. */
export function applicationFields(eligible: (number: string) => FieldProblem | null): Field[] {
  const range = companyNumberType.check(({ value, issues }) => {
    const miss = eligible(value);
    if (miss) issues.push({ code: 'custom', input: value, message: miss.message, params: { code: miss.code } });
  });
  return [
    ...AMOUNT_AND_TERM,
    { path: 'business.company_number', required: true, type: companyNumberType, range },
    { path: 'purpose', type: oneOf(...PURPOSES) },
    { path: 'applicant.email', type: emailType },
    textField('applicant.first_name', 100),
    { path: 'redirect_uri', type: returnUri },
    textField('reference', 128),
    { path: 'introduction_id', type: textType },
    metadata,
  ];
}
