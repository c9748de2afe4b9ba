/** Admin routes that stand for people: who releases money, who pays, who revokes a credential (sandbox.md#funding, sandbox.md#admin-routes). */
import * as z from 'zod/mini';
import { fund } from '../accounts.ts';
import { PROJECTS } from '../credentials.ts';
import { json, type Answer, type Call } from '../exchange.ts';
import type { Faults } from '../faults.ts';
import { at, judgeTypes, oneOf, said, text, truth, type Field } from '../fields.ts';
import { openJwt } from '../keyring.ts';
import { payLink } from '../links.ts';
import type { Ending } from '../payments.ts';
import { refuse } from '../refusal.ts';
import type { Route } from '../router.ts';
import type { World } from '../world.ts';

export function actRoutes(world: World, faults: Faults): Route[] {
  return [
    {
      method: 'POST',
      path: '/_sandbox/applications/:id/fund',
      plane: 'admin',
      handle: (call) => release(world, call),
    },
    {
      method: 'POST',
      path: '/_sandbox/payments/links/:id/pay',
      plane: 'admin',
      handle: (call) => pay(world, faults, call),
    },
    { method: 'POST', path: '/_sandbox/oauth/revoke', plane: 'admin', handle: (call) => revoke(world, call) },
  ];
}

function release(world: World, call: Call): Answer {
  const id = call.params['id'] ?? '';
  const kept = world.applications.get(id);
  if (kept === undefined) throw refuse('resource_missing', `No such application: ${id.slice(0, 64)}.`, 'id');
  if (kept.resource.status !== 'approved') {
    throw refuse('state_conflict', `The application is ${kept.resource.status}; only an approved one can be funded.`);
  }
  const { application, payment, account } = fund(world, kept);
  return json(200, { application: application.resource, payment: payment.resource, account: account.resource });
}

const PAY_FIELDS: readonly Field[] = [
  { path: 'outcome', type: oneOf('settled', 'failed') },
  { path: 'failure_code', type: said(z.string().check(z.regex(/^[a-z0-9_]{1,64}$/)), 'a failure code') },
];

function pay(world: World, faults: Faults, call: Call): Answer {
  const id = call.params['id'] ?? '';
  const link = world.payment_links.get(id);
  if (link === undefined) throw refuse('resource_missing', `No such payment link: ${id.slice(0, 64)}.`, 'id');
  judgeTypes(call.body, PAY_FIELDS);
  if (link.resource.status !== 'open') {
    throw refuse('state_conflict', `The payment link is ${link.resource.status} and takes no payment.`);
  }
  const payment = payLink(world, faults, link, endingOf(call.body));
  return json(200, { payment: payment.resource, payment_link: link.resource });
}

function endingOf(body: unknown): Ending | undefined {
  const outcome = at(body, 'outcome');
  if (outcome === undefined) return undefined;
  if (outcome === 'settled') return { status: 'settled' };
  return { status: 'failed', failureCode: String(at(body, 'failure_code') ?? 'insufficient_funds') };
}

const REVOKE_FIELDS: readonly Field[] = [
  { path: 'token', type: text },
  { path: 'client_id', type: text },
  { path: 'restore', type: truth },
];

function revoke(world: World, call: Call): Answer {
  const { body } = call;
  judgeTypes(body, REVOKE_FIELDS);
  const [token, client] = [at(body, 'token'), at(body, 'client_id')];
  const { revoked } = world;
  if (token !== undefined) {
    const jti = openJwt(world.keyring, String(token), world.clock.now())?.['jti'];
    if (typeof jti !== 'string') throw refuse('resource_missing', 'The token is none of this sandbox.', 'token');
    revoked.tokens.add(jti);
  } else if (client !== undefined) {
    const id = String(client);
    if (!PROJECTS.some(({ clientId }) => clientId === id)) {
      throw refuse('resource_missing', 'No such client.', 'client_id');
    }
    if (at(body, 'restore') === true) revoked.clients.delete(id);
    else revoked.clients.add(id);
  } else throw refuse('parameter_missing', 'Missing required parameter: token or client_id.', 'token');
  world.ledger.put('state', 'revoked', { tokens: [...revoked.tokens], clients: [...revoked.clients] });
  return json(200, { revoked: at(body, 'restore') !== true || token !== undefined });
}
