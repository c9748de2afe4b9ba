/** Values that the API documents for a member. A new one is passed on: the server decides (partner-api.md#evidence-tags-and-optional-routes rule 4). */
export const DOCUMENTED_VALUES = {
  purpose: ['working_capital', 'asset_finance', 'expansion', 'refinance', 'stock'],
  application: ['created', 'submitted', 'in_review', 'approved', 'declined', 'funded', 'withdrawn'],
  payment: ['processing', 'settled', 'failed'],
  account: ['active', 'in_arrears', 'closed'],
  scheme: ['pisp', 'direct_debit'],
  provider: ['credicorp', 'acountpay', 'acountpay-v2'],
} as const;

/** `a, b or c`, for a summary. */
export function joinWithOr(values: readonly string[]): string {
  return values.join(', ').replace(/, ([^,]*)$/, ' or $1');
}
