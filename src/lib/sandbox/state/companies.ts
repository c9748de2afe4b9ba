/** Decides outcomes by company and amount, and computes offers (sandbox.md#companies, sandbox.md#amounts-and-test-values; partner-api.md#decisions). Fictional figures, whole pence. */
import { isoSeconds } from '../../contract/time.ts';
import type { DecisionObject, Effect, Offer, Outcome, ReservedCompany } from './objects.ts';

/** Above this an approval needs an underwriter (sandbox.md#amounts-and-test-values). */
const REFERRAL_ABOVE_PENCE = 15_000_000;
const RATE_BPS = 1200;
const OFFER_LIFE_MS = 14 * 86_400_000;

/** Waits on the sandbox clock, in milliseconds (sandbox.md#lifecycle-timings). */
export const WAITS = {
  submit: 150,
  review: 150,
  decide: 450,
  decideSlow: 10_150,
  resolve: 2000,
  refresh: 300,
  payment: 300,
  identity: 300,
} as const;

export interface Underwriting {
  outcome: Outcome;
  reason: string | null;
  /** A referral that an underwriter will approve 2 s later. */
  resolves: boolean;
}

/** The first outcome of a company and amount. Rejection came before, at create. */
export function judge(company: ReservedCompany, amountPence: number): Underwriting {
  const { effect } = company;
  if (effect === 'decline') return { outcome: 'declined', reason: company.reason, resolves: false };
  if (effect === 'refer_hold') return { outcome: 'referred', reason: null, resolves: false };
  if (effect === 'refer_then_approve' || amountPence > REFERRAL_ABOVE_PENCE) {
    return { outcome: 'referred', reason: null, resolves: true };
  }
  return { outcome: 'approved', reason: null, resolves: false };
}

export function waitForDecision(effect: Effect): number {
  return effect === 'slow_approve' ? WAITS.decideSlow : WAITS.decide;
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
export function conditionsOf(company: ReservedCompany, outcome: Outcome): DecisionObject['conditions'] {
  if (company.number !== 'OC000401' || outcome !== 'approved') return NONE;
  return [{ code: 'members_confirmation', description: 'Confirm the designated members.' }];
}

const NONE: DecisionObject['conditions'] = [];

/** What becomes of a collection, by the last two digits of its amount (sandbox.md#amounts-and-test-values). */
export function fateByAmount(amount: number): {
  status: 'settled' | 'failed' | 'processing';
  failureCode: string | null;
} {
  const failureCode = { 1: 'insufficient_funds', 2: 'technical_error', 3: 'disputed_by_customer' }[amount % 100];
  if (failureCode !== undefined) return { status: 'failed', failureCode };
  return { status: amount % 100 === 4 ? 'processing' : 'settled', failureCode: null };
}

/** The table of companies: the reserved ones, then the user's own, which replace rows of the same number. */
export class Companies {
  readonly #rows = new Map<string, ReservedCompany>();
  readonly #businesses = new Map<string, { company_number: string; name: string }>();
  readonly #lenient: boolean;

  constructor(reserved: readonly ReservedCompany[], own: readonly ReservedCompany[], lenient: boolean) {
    for (const row of [...reserved, ...own]) this.#rows.set(row.number.toUpperCase(), row);
    this.#lenient = lenient;
  }

  /** Null when the number stands for no company. */
  find(number: string): ReservedCompany | null {
    return this.#rows.get(number) ?? (this.#lenient ? lenientCompany(number) : null);
  }

  /** The company of an existing application: saved state may name one that is no longer in the table. */
  ofApplication(number: string): ReservedCompany {
    return this.#rows.get(number) ?? lenientCompany(number);
  }

  /** As applications show it; those of one company share it. */
  businessOf(number: string): { company_number: string; name: string } {
    const known = this.#businesses.get(number);
    const business = known ?? { company_number: number, name: this.find(number)?.name ?? number };
    if (!known && this.#rows.has(number)) this.#businesses.set(number, business);
    return business;
  }

  all(): ReservedCompany[] {
    return [...this.#rows.values()];
  }
}

function lenientCompany(number: string): ReservedCompany {
  return {
    number,
    name: `Lenient Company ${number}`,
    documented: false,
    effect: 'approve',
    outcome: 'approved',
    reason: null,
    notes: 'Any number is approved by a lenient sandbox.',
  };
}
