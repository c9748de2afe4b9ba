/** Request bodies, made from flag values. Members stand in the order of the documented examples; what was not given is left out. */
import { metadataOf, type Pair } from '../flags.ts';
import { isoSeconds } from '../../contract/time.ts';

export interface ApplicationValues {
  company: string;
  /** Pence. */
  amount: number;
  /** Months. */
  term: number;
  purpose?: string | undefined;
  email?: string | undefined;
  'first-name'?: string | undefined;
  'redirect-uri'?: string | undefined;
  reference?: string | undefined;
  'introduction-id'?: string | undefined;
  metadata?: readonly Pair[] | undefined;
}

/** partner-api.md#create-an-application. */
export function applicationBody(values: ApplicationValues): Record<string, unknown> {
  return withoutUndefined({
    business: { company_number: values.company },
    amount_pence: values.amount,
    term_months: values.term,
    purpose: values.purpose,
    applicant: objectOrNothing({ email: values.email, first_name: values['first-name'] }),
    redirect_uri: values['redirect-uri'],
    reference: values.reference,
    introduction_id: values['introduction-id'],
    metadata: metadataOf(values.metadata),
  });
}

export interface LinkValues {
  /** Pence. */
  amount: number;
  currency: string;
  reference: string;
  'payer-name'?: string | undefined;
  'payer-email'?: string | undefined;
  application?: string | undefined;
  'redirect-uri'?: string | undefined;
  /** Milliseconds since the epoch. */
  expiresAt?: number | undefined;
  metadata?: readonly Pair[] | undefined;
}

/** partner-api.md#create-a-payment-link. */
export function linkBody(values: LinkValues): Record<string, unknown> {
  return withoutUndefined({
    amount: values.amount,
    currency: values.currency,
    reference: values.reference,
    payer: objectOrNothing({ name: values['payer-name'], email: values['payer-email'] }),
    application_id: values.application,
    redirect_uri: values['redirect-uri'],
    expires_at: values.expiresAt === undefined ? undefined : isoSeconds(values.expiresAt),
    metadata: metadataOf(values.metadata),
  });
}

export interface PaymentValues {
  /** Pence. */
  amount: number;
  currency: string;
  scheme: string;
  reference?: string | undefined;
  application?: string | undefined;
  mandate?: string | undefined;
  metadata?: readonly Pair[] | undefined;
}

/** partner-api.md#create-a-payment. */
export function paymentBody(values: PaymentValues): Record<string, unknown> {
  return withoutUndefined({
    amount: values.amount,
    currency: values.currency,
    scheme: values.scheme,
    reference: values.reference,
    application_id: values.application,
    mandate_id: values.mandate,
    metadata: metadataOf(values.metadata),
  });
}

export interface CheckValues {
  'first-name': string;
  'last-name': string;
  'date-of-birth'?: string | undefined;
  'address-line1'?: string | undefined;
  'address-city'?: string | undefined;
  'address-postcode'?: string | undefined;
  'address-country'?: string | undefined;
  email?: string | undefined;
  company?: string | undefined;
  application?: string | undefined;
  reference?: string | undefined;
  metadata?: readonly Pair[] | undefined;
}

/** partner-api.md#identity-checks. */
export function checkBody(values: CheckValues): Record<string, unknown> {
  return withoutUndefined({
    subject: withoutUndefined({
      first_name: values['first-name'],
      last_name: values['last-name'],
      date_of_birth: values['date-of-birth'],
      address: objectOrNothing({
        line1: values['address-line1'],
        city: values['address-city'],
        postcode: values['address-postcode'],
        country: values['address-country'],
      }),
      email: values.email,
      company_number: values.company,
    }),
    application_id: values.application,
    reference: values.reference,
    metadata: metadataOf(values.metadata),
  });
}

/** Without the members that are undefined. */
export function withoutUndefined(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** An object of what was given; undefined where nothing was. */
function objectOrNothing(members: Record<string, string | undefined>): Record<string, unknown> | undefined {
  const found = withoutUndefined(members);
  return Object.keys(found).length === 0 ? undefined : found;
}
