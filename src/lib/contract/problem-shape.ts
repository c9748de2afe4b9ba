/** The error bodies as schemas (partner-api.md#errors, RFC 6749 §5.2): they type the errors of the sandbox, and the OpenAPI document is generated from them. */
import * as z from 'zod/mini';

const ProblemDetail = z.object({ param: z.string(), code: z.string(), message: z.string() });

export const ProblemBody = z
  .object({
    error: z.object({
      type: z.enum([
        'authentication_error',
        'permission_error',
        'invalid_request_error',
        'rate_limit_error',
        'api_error',
      ]),
      code: z.string(),
      message: z.string(),
      param: z.optional(z.string()),
      doc_url: z.optional(z.url()),
      request_id: z.string(),
      details: z.optional(z.array(ProblemDetail)),
    }),
    meta: z.object({ request_id: z.string(), environment: z.string() }),
  })
  .register(z.globalRegistry, { id: 'Error' });
export type ProblemBody = z.infer<typeof ProblemBody>;

export const OAuthProblemBody = z
  .object({
    error: z.enum([
      'invalid_client',
      'invalid_scope',
      'unsupported_grant_type',
      'invalid_grant',
      'invalid_request',
      'rate_limit_exceeded',
    ]),
    error_description: z.string(),
  })
  .register(z.globalRegistry, { id: 'OAuthError' });
export type OAuthProblemBody = z.infer<typeof OAuthProblemBody>;
