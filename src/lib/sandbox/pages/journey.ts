/** The hosted journey page (sandbox.md#journey-page): where an applicant would complete what the partner began. */
import { formatPounds } from '../../contract/money.ts';
import type { SandboxAnswer, SandboxCall } from '../http/call.ts';
import { submit } from '../lifecycle/application-lifecycle.ts';
import type { ApplicationKept } from '../state/objects.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { SandboxState } from '../state/state.ts';
import { facts, html, htmlPage, seeOther, withQuery, type Markup } from './html.ts';

const PATH = '/apply/s/:token';

export function journeyRoutes(state: SandboxState): SandboxRoute[] {
  const open = (act: (kept: ApplicationKept, call: SandboxCall) => SandboxAnswer): SandboxRoute['handle'] => {
    return (call) => {
      const kept = openedBy(state.applications.all(), call);
      if (kept === undefined) return unknownPage();
      call.resourceIds = [kept.resource.id];
      return act(kept, call);
    };
  };
  return [
    { method: 'GET', path: PATH, plane: 'page', handle: open((kept) => show(state, kept)) },
    {
      method: 'POST',
      path: `${PATH}/complete`,
      plane: 'page',
      handle: open((kept) => {
        // Completing twice is harmless.
        if (kept.resource.status === 'created') submit(state, kept);
        return goBack(kept);
      }),
    },
    { method: 'POST', path: `${PATH}/leave`, plane: 'page', handle: open(goBack) },
  ];
}

/** The record a token opens. A search is fast enough for a page, and a table of tokens would cost memory for every application. */
export function openedBy<T extends { token: string }>(records: readonly T[], call: SandboxCall): T | undefined {
  return records.find(({ token }) => token === call.params['token']);
}

/** A link that opens nothing. */
export function unknownPage(): SandboxAnswer {
  return htmlPage(404, {
    title: 'Not found',
    body: html`<h1>This page does not exist</h1>
      <p>The link is wrong, or the sandbox that created it has been restarted.</p>`,
  });
}

/** True while the status can move without anybody doing anything. */
function moves(state: SandboxState, { resource: { status } }: ApplicationKept): boolean {
  return status === 'submitted' || status === 'in_review' || (status === 'created' && state.settings.autoSubmit);
}

const STATUS_TEXT: Readonly<Record<string, string>> = {
  created: 'Waiting for you',
  submitted: 'Sent to Credicorp',
  in_review: 'In review',
  approved: 'Approved',
  declined: 'Declined',
  funded: 'Funded',
  withdrawn: 'Withdrawn',
};

function show(state: SandboxState, kept: ApplicationKept): SandboxAnswer {
  const { redirect_uri: back } = kept.resource;
  return htmlPage(200, {
    title: 'Your application',
    ...(moves(state, kept) ? { reload: 1 } : {}),
    formTarget: back === null ? null : new URL(back).origin,
    body: html`<h1>Your application</h1>
      ${summary(kept)} ${buttons(kept)}`,
  });
}

function summary({ resource }: ApplicationKept): Markup {
  return facts([
    ['Company', `${resource.business.name} (${resource.business.company_number})`],
    ['Amount', formatPounds(resource.amount_pence)],
    ['Term', `${resource.term_months} months`],
    ['Purpose', resource.purpose?.replaceAll('_', ' ') ?? 'not given'],
    ['Status', STATUS_TEXT[resource.status] ?? resource.status],
  ]);
}

function buttons({ token, resource }: ApplicationKept): Markup {
  const base = `/apply/s/${token}`;
  const complete = html`<form method="post" action="${base}/complete">
    <button type="submit">Complete the application</button>
  </form>`;
  const leave = html`<form method="post" action="${base}/leave">
    <button type="submit" class="quiet">Back to the partner</button>
  </form>`;
  return html`${resource.status === 'created' ? [complete] : []}${resource.redirect_uri === null ? [] : [leave]}`;
}

function goBack({ token, resource }: ApplicationKept): SandboxAnswer {
  const { redirect_uri: back, id, status } = resource;
  return seeOther(back === null ? `/apply/s/${token}` : withQuery(back, { application_id: id, status }));
}
