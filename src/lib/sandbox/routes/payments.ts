/** Payments (partner-api.md#create-a-payment). */
import * as z from 'zod/mini';
import { isoSeconds } from '../../contract/time.ts';
import { type SandboxAnswer, type SandboxCall, json, projectOf } from '../http/call.ts';
import {
  applicationId as ofApplication,
  at,
  described,
  emailType,
  type Field,
  instantType,
  integerType,
  validate,
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
import { decisionOf } from '../lifecycle/application-lifecycle.ts';
import { openPayment } from '../lifecycle/payment-lifecycle.ts';
import type { SandboxRoute } from '../requests/router.ts';
import { cutPage, PAGE_QUERY, readPageQuery } from '../state/cursors.ts';
import type { PaymentKept, PaymentLinkKept, PaymentLinkObject } from '../state/objects.ts';
import { newId, plan, planAt, type SandboxState, save } from '../state/state.ts';
import { sentMetadata, optionalText } from './applications.ts';

const LIST = '/partner/v1/payments';

export const PAYMENT_QUERY: readonly Field[] = [
  { path: 'status', type: oneOf('processing', 'settled', 'failed') },
  ofApplication,
  ...PAGE_QUERY,
];

export function paymentRoutes(state: SandboxState): SandboxRoute[] {
  return [
    { method: 'POST', path: LIST, plane: 'partner', handle: (call) => create(state, call) },
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => list(state, call) },
    { method: 'GET', path: `${LIST}/:id`, plane: 'partner', handle: (call) => json(200, find(state, call).resource) },
  ];
}

/** Pence. */
const AMOUNT: Field = {
  path: 'amount',
  required: true,
  type: integerType,
  range: within(integerType, 1, 25_000_000, 'amount must be 1 to 25000000 pence.'),
};

const CURRENCY: Field = {
  path: 'currency',
  type: textType,
  range: described(z.literal('GBP', 'currency must be GBP.'), 'a string'),
};

/** The rows of partner-api.md#create-a-payment. */
export const PAYMENT_FIELDS: readonly Field[] = [
  AMOUNT,
  { ...CURRENCY, required: true },
  { path: 'scheme', required: true, type: oneOf('pisp', 'direct_debit') },
  textField('reference', 64),
  { path: 'application_id', type: textType },
  { path: 'mandate_id', type: textType },
  metadata,
];

function create(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const { body } = call;
  const debit = at(body, 'scheme') === 'direct_debit';
  const fields = debit ? PAYMENT_FIELDS.map(mandateRequired) : PAYMENT_FIELDS;
  validateTypes(body, fields);
  validateRanges(body, fields);
  for (const name of unknownMembers(body, fields)) call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  if (debit) checkMandate(optionalText(body, 'mandate_id'));
  const amount = Number(at(body, 'amount'));
  const applicationId = optionalText(body, 'application_id');
  if (applicationId !== null) checkDrawdown(state, call, applicationId, amount);
  const kept = openPayment(state, {
    project: projectOf(call),
    amount,
    scheme: String(at(body, 'scheme')),
    reference: optionalText(body, 'reference'),
    applicationId,
    linkId: null,
    metadata: sentMetadata(body),
  });
  call.resourceIds = [kept.resource.id, ...(applicationId === null ? [] : [applicationId])];
  // A drawdown waits for the person who releases money: no partner call releases money (partner-api.md#create-a-payment).
  if (applicationId === null) plan(state, 'payment', kept.resource.id);
  return json(202, kept.resource);
}

function mandateRequired(field: Field): Field {
  return field.path === 'mandate_id' ? { ...field, required: true } : field;
}

/** sandbox.md#amounts-and-test-values. @throws Refusal 404, 409 */
function checkMandate(id: string | null): void {
  if (id === 'mnd_sbx_active') return;
  if (id === 'mnd_sbx_pending' || id === 'mnd_sbx_revoked') {
    throw refuse('mandate_not_active', `The mandate is ${id.slice('mnd_sbx_'.length)}.`, 'mandate_id');
  }
  throw refuse('resource_missing', 'No such mandate. The sandbox knows mnd_sbx_active.', 'mandate_id');
}

/** @throws Refusal 404, 409, 422 */
function checkDrawdown(state: SandboxState, call: SandboxCall, id: string, amount: number): void {
  const application = state.applications.of(projectOf(call), id);
  if (application === undefined) throw refuse('resource_missing', 'No such application.', 'application_id');
  const { status } = application.resource;
  if (status !== 'approved') {
    throw refuse('state_conflict', `The application is ${status}; a drawdown needs an approved one.`, 'application_id');
  }
  const offer = decisionOf(state, application)?.resource.offer;
  if (amount > (offer?.amount_pence ?? 0)) throw refuse('amount_above_maximum', 'amount is over the offer.', 'amount');
}

function list(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const page = readPageQuery(call.search, state.seed, LIST, PAYMENT_QUERY);
  const status = call.search.get('status');
  const application = call.search.get('application_id');
  const accept = ({ resource }: PaymentKept): boolean =>
    (status === null || resource.status === status) &&
    (application === null || resource.application_id === application);
  const records = state.payments.list(projectOf(call));
  return json(
    200,
    cutPage(records, page, state.seed, LIST, ({ resource }) => resource, accept),
  );
}

function find(state: SandboxState, call: SandboxCall): PaymentKept {
  const id = call.params['id'] ?? '';
  const kept = state.payments.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such payment: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return kept;
}

// Payment links (partner-api.md#create-a-payment-link).

const LINKS = '/partner/v1/payments/links';
const LIFE_MS = 7 * 86_400_000;

/** Before the routes of payments: `links` is never a payment id. */
export function linkRoutes(state: SandboxState): SandboxRoute[] {
  const fields = linkFields(() => state.clock.now());
  return [
    { method: 'POST', path: LINKS, plane: 'partner', handle: (call) => createLink(state, fields, call) },
    {
      method: 'GET',
      path: `${LINKS}/:id`,
      plane: 'partner',
      handle: (call) => json(200, findLink(state, call).resource),
    },
  ];
}

/** Pence; the rows of partner-api.md#create-a-payment-link. `now` in sandbox milliseconds. */
export function linkFields(now: () => number): Field[] {
  const future = instantType.check(z.refine((value) => Date.parse(value) > now(), 'expires_at must be in the future.'));
  return [
    AMOUNT,
    CURRENCY,
    { ...textField('reference', 64, 1), required: true },
    textField('payer.name', 200),
    { path: 'payer.email', type: emailType },
    { path: 'application_id', type: textType },
    { path: 'redirect_uri', type: returnUri },
    { path: 'expires_at', type: instantType, range: future },
    metadata,
  ];
}

function createLink(state: SandboxState, fields: readonly Field[], call: SandboxCall): SandboxAnswer {
  const { body } = call;
  validate(body, fields);
  for (const name of unknownMembers(body, fields)) call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  const project = projectOf(call);
  const applicationId = optionalText(body, 'application_id');
  if (applicationId !== null && state.applications.of(project, applicationId) === undefined) {
    throw refuse('resource_missing', 'No such application.', 'application_id');
  }
  const id = newId(state, 'payment_links');
  const token = state.ids.bare('link');
  const expires = optionalText(body, 'expires_at');
  const now = state.clock.now();
  const until = expires === null ? now + LIFE_MS : Date.parse(expires);
  const resource = composeLink(state, body, { id, token, until, now });
  const kept: PaymentLinkKept = { n: state.payment_links.nextNumber(), project, resource, token };
  state.payment_links.add(kept);
  save(state, 'payment_links', kept);
  planAt(state, 'expire_link', id, until);
  call.resourceIds = [id, ...(applicationId === null ? [] : [applicationId])];
  return json(201, resource);
}

/** Members in the order of the published example. */
function composeLink(
  state: SandboxState,
  body: unknown,
  facts: { id: string; token: string; until: number; now: number },
): PaymentLinkObject {
  return {
    id: facts.id,
    status: 'open',
    url: `${state.settings.baseUrl}/pay/${facts.token}`,
    amount: Number(at(body, 'amount')),
    currency: 'GBP',
    reference: String(at(body, 'reference')),
    payer: payerOf(body),
    application_id: optionalText(body, 'application_id'),
    redirect_uri: optionalText(body, 'redirect_uri'),
    expires_at: isoSeconds(facts.until),
    created_at: isoSeconds(facts.now),
    metadata: sentMetadata(body),
  };
}

function payerOf(body: unknown): PaymentLinkObject['payer'] {
  const name = optionalText(body, 'payer.name');
  const address = optionalText(body, 'payer.email');
  if (name === null && address === null) return null;
  return { ...(name === null ? {} : { name }), ...(address === null ? {} : { email: address }) };
}

function findLink(state: SandboxState, call: SandboxCall): PaymentLinkKept {
  const id = call.params['id'] ?? '';
  const kept = state.payment_links.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such payment link: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return kept;
}
