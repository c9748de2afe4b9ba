/** The decision on an application: outcome, offer and conditions, by company and amount (partner-api.md#decisions, sandbox.md#amounts-and-test-values). Fictional figures, whole pence. */
import { isoSeconds } from '../../contract/time.ts';
import type { DecisionObject, DecisionOutcome, Offer, ReservedCompany } from '../state/objects.ts';

/** Above this an approval needs an underwriter (sandbox.md#amounts-and-test-values). */
const REFERRAL_ABOVE_PENCE = 15_000_000;
const RATE_BPS = 1200;
const OFFER_LIFE_MS = 14 * 86_400_000;

export interface Underwriting {
  outcome: DecisionOutcome;
  reason: string | null;
  /** A referral that an underwriter will approve 2 s later. */
  resolves: boolean;
}

/** The first outcome of a company and amount. Rejection came before, at create. */
export function underwrite(company: ReservedCompany, amountPence: number): Underwriting {
  const { effect } = company;
  if (effect === 'decline') return { outcome: 'declined', reason: company.reason, resolves: false };
  if (effect === 'refer_hold') return { outcome: 'referred', reason: null, resolves: false };
  if (effect === 'refer_then_approve' || amountPence > REFERRAL_ABOVE_PENCE) {
    return { outcome: 'referred', reason: null, resolves: true };
  }
  return { outcome: 'approved', reason: null, resolves: false };
}

/** `decidedAt` in sandbox milliseconds. */
export function offer(amountPence: number, termMonths: number, decidedAt: number): Offer {
  return {
    amount_pence: amountPence,
    term_months: termMonths,
    annual_rate_bps: RATE_BPS,
    arrangement_fee_pence: Math.floor((amountPence * 2 + 50) / 100),
    monthly_repayment_pence: repayment(amountPence, termMonths),
    expires_at: isoSeconds(decidedAt + OFFER_LIFE_MS),
  };
}

/** The annuity of partner-api.md#decisions, rounded up to the penny. */
export function repayment(amountPence: number, termMonths: number): number {
  const r = RATE_BPS / 120_000;
  return Math.ceil((amountPence * r) / (1 - (1 + r) ** -termMonths) - 1e-6);
}

/** OC000401 is approved with one condition (sandbox.md#amounts-and-test-values). */
export function conditionsOf(company: ReservedCompany, outcome: DecisionOutcome): DecisionObject['conditions'] {
  if (company.number !== 'OC000401' || outcome !== 'approved') return NONE;
  return [{ code: 'members_confirmation', description: 'Confirm the designated members.' }];
}

const NONE: DecisionObject['conditions'] = [];
