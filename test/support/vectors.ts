/** The published signature cases. */
import { readFileSync } from 'node:fs';

export interface SignatureCase {
  name: string;
  secrets: string[];
  timestamp: number | null;
  /** Unix seconds. */
  now: number;
  body_base64: string;
  header: string | null;
  expected: string;
  skew_seconds?: number;
  also?: string[];
  warnings?: string[];
  other_environment_secrets?: string[];
  other_endpoint_secrets?: string[];
}

const file = new URL('../fixtures/signatures.json', import.meta.url);

const published = JSON.parse(readFileSync(file, 'utf8')) as { tolerance_seconds: number; cases: SignatureCase[] };
export const signatureCases = published.cases;
/** Seconds. */
export const signatureTolerance = published.tolerance_seconds;
