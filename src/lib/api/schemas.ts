/** Endpoint → schema. Apart from the list, because it loads the schema library. */
import * as z from 'zod/mini';
import {
  Account,
  Application,
  Decision,
  DecisionRefresh,
  IdentityCheck,
  pageOf,
  Payment,
  PaymentLink,
  WebhookEndpoint,
} from '../contract/resources.ts';
import type { Endpoint, ResourceName } from './endpoints.ts';

const SCHEMAS: Readonly<Record<ResourceName, z.ZodMiniType>> = {
  Account,
  Application,
  Decision,
  DecisionRefresh,
  IdentityCheck,
  Payment,
  PaymentLink,
  WebhookEndpoint,
};

export function schemaOf(endpoint: Endpoint): z.ZodMiniType {
  if (endpoint.holds === null) return z.unknown();
  const schema = SCHEMAS[endpoint.holds];
  if (endpoint.list !== true) return schema;
  // `GET /decisions` may answer a page, an array or a single object (partner-api.md#decisions); the document itself stays as it came.
  return z.pipe(z.pipe(z.unknown(), z.transform(asPage)), pageOf(schema));
}

function asPage(json: unknown): unknown {
  if (Array.isArray(json)) return { data: json, has_more: false };
  if (typeof json !== 'object' || json === null || 'data' in json || !('id' in json)) return json;
  return { data: [json], has_more: false };
}
