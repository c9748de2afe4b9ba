/** The payment page (sandbox.md#payment-page-and-links). */
import { formatPounds } from '../../contract/money.ts';
import type { SandboxAnswer, SandboxCall } from '../http/call.ts';
import { payLink } from '../lifecycle/payment-links.ts';
import type { PaymentLinkKept } from '../state/objects.ts';
import { turnLink } from '../lifecycle/payment-lifecycle.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { SandboxState } from '../state/state.ts';
import { facts, html, htmlPage, seeOther, withQuery, type Markup } from './html.ts';
import { openedBy, unknownPage } from './journey.ts';

const PATH = '/pay/:token';

export function payRoutes(state: SandboxState): SandboxRoute[] {
  const find = (act: (kept: PaymentLinkKept, call: SandboxCall) => SandboxAnswer): SandboxRoute['handle'] => {
    return (call) => {
      const kept = openedBy(state.payment_links.all(), call);
      if (kept === undefined) return unknownPage();
      call.resourceIds = [kept.resource.id];
      return act(kept, call);
    };
  };
  const act = (path: string, done: (kept: PaymentLinkKept, call: SandboxCall) => void): SandboxRoute => ({
    method: 'POST',
    path: `${PATH}/${path}`,
    plane: 'page',
    handle: find((kept, call) => {
      // A link that is not open shows its state and takes no payment.
      if (kept.resource.status !== 'open') return show(state, 409, kept);
      done(kept, call);
      return goBack(kept);
    }),
  });
  return [
    { method: 'GET', path: PATH, plane: 'page', handle: find((kept) => show(state, 200, kept)) },
    act('pay', (kept) => void payLink(state, kept)),
    act('fail', (kept, call) => void payLink(state, kept, { status: 'failed', failureCode: failureCode(call) })),
    act('cancel', (kept) => turnLink(state, kept, 'cancelled')),
  ];
}

/** The form field of that name; the list of codes is open (partner-api.md#create-a-payment). */
function failureCode({ request }: SandboxCall): string {
  const body = request.body instanceof Uint8Array ? Buffer.from(request.body).toString('utf8') : '';
  const code = new URLSearchParams(body).get('failure_code') ?? '';
  return /^[a-z0-9_]{1,64}$/.test(code) ? code : 'insufficient_funds';
}

const STATUS_TEXT: Readonly<Record<string, string>> = {
  open: 'Waiting for payment',
  paid: 'Paid. Thank you.',
  expired: 'Expired. It can no longer be paid.',
  cancelled: 'Cancelled. It can no longer be paid.',
};

function show(state: SandboxState, status: number, kept: PaymentLinkKept): SandboxAnswer {
  const { resource } = kept;
  return htmlPage(status, {
    title: 'Payment',
    formTarget: resource.redirect_uri === null ? null : new URL(resource.redirect_uri).origin,
    body: html`<h1>Payment to Credicorp sandbox</h1>
      ${facts([
        ['Payee', 'Credicorp sandbox'],
        ['Amount', formatPounds(resource.amount)],
        ['Reference', resource.reference],
        ['Status', STATUS_TEXT[resource.status] ?? resource.status],
        ...lastTry(state, kept),
      ])}
      ${resource.status === 'open' ? buttons(kept.token) : []}`,
  });
}

/** Shows a payer who comes back to an open link how the last try ended. */
function lastTry(state: SandboxState, { project, resource }: PaymentLinkKept): [string, string][] {
  const last = state.payments.list(project).findLast((payment) => payment.resource.payment_link_id === resource.id);
  if (last === undefined || resource.status !== 'open') return [];
  const { status, failure_code: code } = last.resource;
  return [['Last try', status === 'failed' ? `Failed: ${(code ?? '').replaceAll('_', ' ')}` : 'Still processing']];
}

function buttons(token: string): Markup {
  return html`<form method="post" action="/pay/${token}/pay"><button type="submit">Pay</button></form>
    <form method="post" action="/pay/${token}/fail">
      <input type="hidden" name="failure_code" value="insufficient_funds" />
      <button type="submit" class="quiet">Let the payment fail</button>
    </form>
    <form method="post" action="/pay/${token}/cancel">
      <button type="submit" class="quiet">Cancel</button>
    </form>`;
}

function goBack({ token, resource }: PaymentLinkKept): SandboxAnswer {
  const { redirect_uri: back, id, status } = resource;
  return seeOther(back === null ? `/pay/${token}` : withQuery(back, { payment_link_id: id, status }));
}
