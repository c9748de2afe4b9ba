/** The companies a sandbox knows, what each one leads to, and why one is refused at create (sandbox.md#companies). */
import type { FieldProblem } from '../http/fields.ts';
import type { ReservedCompany } from './objects.ts';

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

/** Why a company cannot apply; null when it can. */
export function whyIneligible(companies: Companies, number: string): FieldProblem | null {
  const company = companies.find(number.toUpperCase());
  if (company?.effect === 'reject_not_eligible') {
    return { code: 'company_not_eligible', message: 'Applicant must be a UK incorporated company or LLP.' };
  }
  if (company !== null && company.effect !== 'reject_not_found') return null;
  const known = companies.all().map((row) => row.number);
  const more = known.length > 20 ? ' and more' : '';
  const message = `The number resolves to no active company. Reserved numbers: ${known.slice(0, 20).join(', ')}${more}.`;
  return { code: 'company_not_found', message };
}
