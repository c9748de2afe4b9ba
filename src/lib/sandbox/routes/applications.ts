/** Applications (partner-api.md#applications). */
import * as z from 'zod/mini';
import { json, projectOf, type Answer, type Call } from '../exchange.ts';
import { cutPage, PAGE_QUERY, readPage } from '../cursors.ts';
import { at, day, instant, judgeRanges, judgeTypes, oneOf, said, unknownMembers, type Field } from '../fields.ts';
import { submit, withdraw } from '../lifecycle.ts';
import type { ApplicationKept, ApplicationObject, ApplicationStatus, Metadata } from '../objects.ts';
import { WAITS } from '../outcomes.ts';
import { refuse } from '../refusal.ts';
import type { Route } from '../router.ts';
import { newId, plan, save, stamp, type World } from '../world.ts';
import { applicationFields, companyRange, PURPOSES } from './application-fields.ts';

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
  { path: 'created_after', type: said(z.union([day, instant]), 'a date (its 00:00 UTC) or an ISO 8601 instant') },
  ...PAGE_QUERY,
];

const LIST = '/partner/v1/applications';

export function applicationRoutes(world: World): Route[] {
  const fields = applicationFields((number) => companyRange(world.companies, number));
  return [
    { method: 'POST', path: LIST, plane: 'partner', handle: (call) => create(world, fields, call) },
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => list(world, call) },
    {
      method: 'GET',
      path: `${LIST}/:id`,
      plane: 'partner',
      handle: (call) => json(200, findApplication(world, call).resource),
    },
    { method: 'POST', path: `${LIST}/:id/submit`, plane: 'partner', handle: (call) => submitted(world, call) },
    { method: 'POST', path: `${LIST}/:id/withdraw`, plane: 'partner', handle: (call) => withdrawn(world, call) },
  ];
}

function create(world: World, fields: readonly Field[], call: Call): Answer {
  const { body } = call;
  const unnamed = at(body, 'applicant.email') === undefined && at(body, 'redirect_uri') === undefined;
  judgeTypes(body, fields, unnamed && world.settings.strict ? [EMAIL_MISSING] : []);
  judgeRanges(body, fields);
  if (unnamed) call.notes.push('neither applicant.email nor redirect_uri: strict mode answers 400 parameter_missing');
  for (const name of unknownMembers(body, fields)) call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  const kept = store(world, projectOf(call), body);
  call.resourceIds = [kept.resource.id];
  if (world.settings.autoSubmit) plan(world, 'submit', kept.resource.id, WAITS.submit);
  return { ...json(201, kept.resource), again: { resource: kept.resource, render: renderCreated } };
}

/** As it was when it was created: what the applicant asked for never changes, the rest began empty. */
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

function store(world: World, project: ApplicationKept['project'], body: unknown): ApplicationKept {
  const id = newId(world, 'applications');
  const token = world.ids.bare('journey');
  const kept = {
    n: world.applications.nextNumber(),
    project,
    resource: compose(world, body, id, token),
    token,
    refresh: null,
  };
  world.applications.add(kept);
  save(world, 'applications', kept);
  return kept;
}

/** Members in the order of the published example. Texts that are the same for many applications are one text in memory. */
function compose(world: World, body: unknown, id: string, token: string): ApplicationObject {
  const now = stamp(world);
  const number = String(at(body, 'business.company_number')).toUpperCase();
  return {
    id,
    status: 'created',
    amount_pence: Number(at(body, 'amount_pence')),
    term_months: Number(at(body, 'term_months')),
    handoff_url: `${world.settings.baseUrl}/apply/s/${token}`,
    created_at: now,
    business: world.companies.businessOf(number),
    currency: 'GBP',
    purpose: PURPOSES.find((purpose) => purpose === at(body, 'purpose')) ?? null,
    applicant: applicantOf(body),
    redirect_uri: world.texts.share(optionalText(body, 'redirect_uri')),
    reference: optionalText(body, 'reference'),
    introduction_id: optionalText(body, 'introduction_id'),
    metadata: metadataOf(body),
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

/** A judged optional text member; null when absent. */
export function optionalText(body: unknown, path: string): string | null {
  const value = at(body, path);
  return typeof value === 'string' ? value : null;
}

const NO_METADATA: Metadata = {};

/** Judged metadata as it was sent. */
export function metadataOf(body: unknown): Metadata {
  const entries = Object.entries(at(body, 'metadata') ?? {});
  return entries.length === 0 ? NO_METADATA : Object.fromEntries(entries.map(([key, member]) => [key, String(member)]));
}

function list(world: World, call: Call): Answer {
  const page = readPage(call.search, world.seed, LIST, APPLICATION_QUERY);
  const status = call.search.get('status');
  const since = call.search.get('created_after');
  // A day is its first instant, 00:00 UTC; inclusive (partner-api.md#read-list-submit-and-withdraw-applications).
  const after = since === null ? -Infinity : Date.parse(since);
  const accept = ({ resource }: ApplicationKept): boolean =>
    (status === null || resource.status === status) && Date.parse(resource.created_at) >= after;
  const records = world.applications.list(projectOf(call));
  const filtered = status !== null || since !== null;
  return json(
    200,
    cutPage(records, page, world.seed, LIST, ({ resource }) => resource, filtered ? accept : undefined),
  );
}

/** @throws Refusal 404 */
function findApplication(world: World, call: Call, id = call.params['id'] ?? ''): ApplicationKept {
  const kept = world.applications.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such application: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [kept.resource.id];
  return kept;
}

function submitted(world: World, call: Call): Answer {
  const kept = findApplication(world, call);
  if (kept.resource.status !== 'created') throw conflict(kept, 'submitted');
  submit(world, kept);
  return json(200, kept.resource);
}

function withdrawn(world: World, call: Call): Answer {
  const kept = findApplication(world, call);
  if (!['created', 'submitted', 'in_review', 'approved'].includes(kept.resource.status))
    throw conflict(kept, 'withdrawn');
  withdraw(world, kept);
  return json(200, kept.resource);
}

function conflict({ resource }: ApplicationKept, act: string): Error {
  return refuse('state_conflict', `The application is ${resource.status} and cannot be ${act}.`);
}
