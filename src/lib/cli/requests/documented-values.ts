/** Values that the API documents for a member. A new one is passed on: the server decides (partner-api.md#evidence-tags-and-optional-routes rule 4). */
export const DOCUMENTED_VALUES = {
  purpose: ['working_capital', 'asset_finance', 'expansion', 'refinance', 'stock'],
  application: ['created', 'submitted', 'in_review', 'approved', 'declined', 'funded', 'withdrawn'],
  payment: ['processing', 'settled', 'failed'],
  account: ['active', 'in_arrears', 'closed'],
  scheme: ['pisp', 'direct_debit'],
  provider: ['credicorp', 'acountpay', 'acountpay-v2'],
} as const;

/** The flags that take them, for completion. */
export const KNOWN_VALUES: Readonly<Record<string, readonly string[]>> = {
  'apps:create --purpose': DOCUMENTED_VALUES.purpose,
  'apps:list --status': DOCUMENTED_VALUES.application,
  'payments:list --status': DOCUMENTED_VALUES.payment,
  'payments:create --scheme': DOCUMENTED_VALUES.scheme,
  'accounts:list --status': DOCUMENTED_VALUES.account,
  'login --provider': DOCUMENTED_VALUES.provider,
  'webhooks:send --provider': DOCUMENTED_VALUES.provider,
  'webhooks:sign --provider': DOCUMENTED_VALUES.provider,
  'webhooks:verify --provider': DOCUMENTED_VALUES.provider,
};

/** `a, b or c`, for a summary. */
export function joinWithOr(values: readonly string[]): string {
  return values.join(', ').replace(/, ([^,]*)$/, ' or $1');
}
