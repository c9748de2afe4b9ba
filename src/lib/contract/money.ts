/** Parses and formats amounts in pounds. The API uses integer pence (partner-api.md#conventions); pounds appear only in what people type and read. */

/** `25000`, `25,000.50`, `£25,000` → pence; null when the text is not an amount in pounds with exactly two decimals, if any. */
export function parsePounds(text: string): number | null {
  const match = /^£?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{2}))?$/.exec(text.trim());
  if (!match) return null;
  const pounds = Number((match[1] ?? '').replaceAll(',', ''));
  const pence = pounds * 100 + Number(match[2] ?? 0);
  return Number.isSafeInteger(pence) ? pence : null;
}

/** 2500000 → `£25,000.00`. */
export function formatPounds(pence: number): string {
  const sign = pence < 0 ? '-' : '';
  const whole = Math.trunc(Math.abs(pence) / 100);
  const rest = String(Math.abs(pence) % 100).padStart(2, '0');
  return `${sign}£${String(whole).replace(/\B(?=(\d{3})+$)/g, ',')}.${rest}`;
}
