/** Words that the API knows today; a new one is passed on, and the server judges it (partner-api.md#evidence-tags-and-optional-routes rule 4). */
export const KNOWN_WORDS = {
  purpose: ['working_capital', 'asset_finance', 'expansion', 'refinance', 'stock'],
  application: ['created', 'submitted', 'in_review', 'approved', 'declined', 'funded', 'withdrawn'],
  payment: ['processing', 'settled', 'failed'],
  account: ['active', 'in_arrears', 'closed'],
  scheme: ['pisp', 'direct_debit'],
  provider: ['credicorp', 'acountpay', 'acountpay-v2'],
} as const;

/** The flags that take them, for completion. */
export const KNOWN_VALUES: Readonly<Record<string, readonly string[]>> = {
  'apps:create --purpose': KNOWN_WORDS.purpose,
  'apps:list --status': KNOWN_WORDS.application,
  'payments:list --status': KNOWN_WORDS.payment,
  'payments:create --scheme': KNOWN_WORDS.scheme,
  'accounts:list --status': KNOWN_WORDS.account,
  'login --provider': KNOWN_WORDS.provider,
  'webhooks:send --provider': KNOWN_WORDS.provider,
  'webhooks:sign --provider': KNOWN_WORDS.provider,
  'webhooks:verify --provider': KNOWN_WORDS.provider,
};

/** `a, b or c`, for a summary. */
export function either(words: readonly string[]): string {
  return words.join(', ').replace(/, ([^,]*)$/, ' or $1');
}
