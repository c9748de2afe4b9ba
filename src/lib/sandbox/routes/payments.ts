/** Payments (partner-api.md#create-a-payment). */
import * as z from 'zod/mini';
import { cutPage, PAGE_QUERY, readPage } from '../cursors.ts';
import { json, projectOf, type Answer, type Call } from '../exchange.ts';
import {
  applicationId as ofApplication,
  at,
  integer,
  judgeRanges,
  judgeTypes,
  metadata,
  oneOf,
  said,
  text,
  unknownMembers,
  textField,
  within,
  type Field,
} from '../fields.ts';
import { decisionOf } from '../lifecycle.ts';
import type { PaymentKept } from '../objects.ts';
import { WAITS } from '../outcomes.ts';
import { openPayment } from '../payments.ts';
import { refuse } from '../refusal.ts';
import type { Route } from '../router.ts';
import { plan, type World } from '../world.ts';
import { metadataOf, optionalText } from './applications.ts';

const LIST = '/partner/v1/payments';

export const PAYMENT_QUERY: readonly Field[] = [
  { path: 'status', type: oneOf('processing', 'settled', 'failed') },
  ofApplication,
  ...PAGE_QUERY,
];

export function paymentRoutes(world: World): Route[] {
  return [
    { method: 'POST', path: LIST, plane: 'partner', handle: (call) => create(world, call) },
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => list(world, call) },
    { method: 'GET', path: `${LIST}/:id`, plane: 'partner', handle: (call) => json(200, find(world, call).resource) },
  ];
}

/** Pence. */
export const AMOUNT: Field = {
  path: 'amount',
  required: true,
  type: integer,
  range: within(integer, 1, 25_000_000, 'amount must be 1 to 25000000 pence.'),
};

export const CURRENCY: Field = {
  path: 'currency',
  type: text,
  range: said(z.literal('GBP', 'currency must be GBP.'), 'a string'),
};

/** The rows of partner-api.md#create-a-payment. */
export const PAYMENT_FIELDS: readonly Field[] = [
  AMOUNT,
  { ...CURRENCY, required: true },
  { path: 'scheme', required: true, type: oneOf('pisp', 'direct_debit') },
  textField('reference', 64),
  { path: 'application_id', type: text },
  { path: 'mandate_id', type: text },
  metadata,
];

function create(world: World, call: Call): Answer {
  const { body } = call;
  const debit = at(body, 'scheme') === 'direct_debit';
  const fields = debit ? PAYMENT_FIELDS.map(mandateRequired) : PAYMENT_FIELDS;
  judgeTypes(body, fields);
  judgeRanges(body, fields);
  for (const name of unknownMembers(body, fields)) call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  if (debit) judgeMandate(optionalText(body, 'mandate_id'));
  const amount = Number(at(body, 'amount'));
  const applicationId = optionalText(body, 'application_id');
  if (applicationId !== null) judgeDrawdown(world, call, applicationId, amount);
  const kept = openPayment(world, {
    project: projectOf(call),
    amount,
    scheme: String(at(body, 'scheme')),
    reference: optionalText(body, 'reference'),
    applicationId,
    linkId: null,
    metadata: metadataOf(body),
  });
  call.resourceIds = [kept.resource.id, ...(applicationId === null ? [] : [applicationId])];
  // A drawdown waits for the funding gate: no partner call releases money (partner-api.md#create-a-payment).
  if (applicationId === null) plan(world, 'payment', kept.resource.id, WAITS.payment);
  return json(202, kept.resource);
}

function mandateRequired(field: Field): Field {
  return field.path === 'mandate_id' ? { ...field, required: true } : field;
}

/** sandbox.md#amounts-and-test-values. @throws Refusal 404, 409 */
function judgeMandate(id: string | null): void {
  if (id === 'mnd_sbx_active') return;
  if (id === 'mnd_sbx_pending' || id === 'mnd_sbx_revoked') {
    throw refuse('mandate_not_active', `The mandate is ${id.slice('mnd_sbx_'.length)}.`, 'mandate_id');
  }
  throw refuse('resource_missing', 'No such mandate. The sandbox knows mnd_sbx_active.', 'mandate_id');
}

/** @throws Refusal 404, 409, 422 */
function judgeDrawdown(world: World, call: Call, id: string, amount: number): void {
  const application = world.applications.of(projectOf(call), id);
  if (application === undefined) throw refuse('resource_missing', 'No such application.', 'application_id');
  const { status } = application.resource;
  if (status !== 'approved') {
    throw refuse('state_conflict', `The application is ${status}; a drawdown needs an approved one.`, 'application_id');
  }
  const offer = decisionOf(world, application)?.resource.offer;
  if (amount > (offer?.amount_pence ?? 0)) throw refuse('amount_above_maximum', 'amount is over the offer.', 'amount');
}

function list(world: World, call: Call): Answer {
  const page = readPage(call.search, world.seed, LIST, PAYMENT_QUERY);
  const status = call.search.get('status');
  const application = call.search.get('application_id');
  const accept = ({ resource }: PaymentKept): boolean =>
    (status === null || resource.status === status) &&
    (application === null || resource.application_id === application);
  const records = world.payments.list(projectOf(call));
  return json(
    200,
    cutPage(records, page, world.seed, LIST, ({ resource }) => resource, accept),
  );
}

function find(world: World, call: Call): PaymentKept {
  const id = call.params['id'] ?? '';
  const kept = world.payments.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such payment: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return kept;
}
