/** Payment links (partner-api.md#create-a-payment-link). */
import * as z from 'zod/mini';
import { isoSeconds } from '../../contract/time.ts';
import { json, projectOf, type Answer, type Call } from '../exchange.ts';
import {
  at,
  email,
  instant,
  judge,
  metadata,
  returnUri,
  text,
  textField,
  unknownMembers,
  type Field,
} from '../fields.ts';
import type { PaymentLinkKept, PaymentLinkObject } from '../objects.ts';
import { refuse } from '../refusal.ts';
import type { Route } from '../router.ts';
import { newId, planAt, save, type World } from '../world.ts';
import { metadataOf, optionalText } from './applications.ts';
import { AMOUNT, CURRENCY } from './payments.ts';

const LIST = '/partner/v1/payments/links';
const LIFE_MS = 7 * 86_400_000;

/** Before the routes of payments: `links` is never a payment id. */
export function linkRoutes(world: World): Route[] {
  const fields = linkFields(() => world.clock.now());
  return [
    { method: 'POST', path: LIST, plane: 'partner', handle: (call) => create(world, fields, call) },
    { method: 'GET', path: `${LIST}/:id`, plane: 'partner', handle: (call) => json(200, find(world, call).resource) },
  ];
}

/** Pence; the rows of partner-api.md#create-a-payment-link. `now` in sandbox milliseconds. */
export function linkFields(now: () => number): Field[] {
  const future = instant.check(z.refine((value) => Date.parse(value) > now(), 'expires_at must lie in the future.'));
  return [
    AMOUNT,
    CURRENCY,
    { ...textField('reference', 64, 1), required: true },
    textField('payer.name', 200),
    { path: 'payer.email', type: email },
    { path: 'application_id', type: text },
    { path: 'redirect_uri', type: returnUri },
    { path: 'expires_at', type: instant, range: future },
    metadata,
  ];
}

function create(world: World, fields: readonly Field[], call: Call): Answer {
  const { body } = call;
  judge(body, fields);
  for (const name of unknownMembers(body, fields)) call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  const project = projectOf(call);
  const applicationId = optionalText(body, 'application_id');
  if (applicationId !== null && world.applications.of(project, applicationId) === undefined) {
    throw refuse('resource_missing', 'No such application.', 'application_id');
  }
  const id = newId(world, 'payment_links');
  const token = world.ids.bare('link');
  const expires = optionalText(body, 'expires_at');
  const now = world.clock.now();
  const until = expires === null ? now + LIFE_MS : Date.parse(expires);
  const resource = compose(world, body, { id, token, until, now });
  const kept: PaymentLinkKept = { n: world.payment_links.nextNumber(), project, resource, token };
  world.payment_links.add(kept);
  save(world, 'payment_links', kept);
  planAt(world, 'expire_link', id, until);
  call.resourceIds = [id, ...(applicationId === null ? [] : [applicationId])];
  return json(201, resource);
}

/** Members in the order of the published example. */
function compose(
  world: World,
  body: unknown,
  facts: { id: string; token: string; until: number; now: number },
): PaymentLinkObject {
  return {
    id: facts.id,
    status: 'open',
    url: `${world.settings.baseUrl}/pay/${facts.token}`,
    amount: Number(at(body, 'amount')),
    currency: 'GBP',
    reference: String(at(body, 'reference')),
    payer: payerOf(body),
    application_id: optionalText(body, 'application_id'),
    redirect_uri: optionalText(body, 'redirect_uri'),
    expires_at: isoSeconds(facts.until),
    created_at: isoSeconds(facts.now),
    metadata: metadataOf(body),
  };
}

function payerOf(body: unknown): PaymentLinkObject['payer'] {
  const name = optionalText(body, 'payer.name');
  const address = optionalText(body, 'payer.email');
  if (name === null && address === null) return null;
  return { ...(name === null ? {} : { name }), ...(address === null ? {} : { email: address }) };
}

function find(world: World, call: Call): PaymentLinkKept {
  const id = call.params['id'] ?? '';
  const kept = world.payment_links.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such payment link: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return kept;
}
