/** The token plane in the OpenAPI document (partner-api.md#oauth-tokens). */
import { TOKEN_EXAMPLE } from './examples.ts';
import { ref, type BodyName, type Schema } from './schemas.ts';

const LOCAL = { client_id: 'cid_sbx_local', client_secret: 'csk_sbx_local' };
/** The client authenticates by the form or by HTTP Basic, not by a bearer. */
const COMMON = { tags: ['OAuth'], security: [] };

export function oauthPaths(): Record<string, Schema> {
  return {
    '/partner/v1/oauth/token': {
      post: {
        ...COMMON,
        operationId: 'mintToken',
        summary: 'Mint an access token by client credentials',
        requestBody: form('TokenRequest', { grant_type: 'client_credentials', ...LOCAL }),
        responses: answers('TokenAnswer', TOKEN_EXAMPLE),
      },
    },
    '/partner/v1/oauth/introspect': {
      post: {
        ...COMMON,
        operationId: 'introspectToken',
        summary: 'Ask whether a token is good now',
        requestBody: form('IntrospectionRequest', { token: 'EXAMPLE.ACCESS.TOKEN', ...LOCAL }),
        responses: answers('Introspection', { active: false }),
      },
    },
    '/partner/v1/oauth/jwks': {
      get: {
        ...COMMON,
        operationId: 'getKeys',
        summary: 'The keys tokens are signed with',
        responses: answers('Jwks'),
      },
    },
  };
}

function form(name: BodyName, example: object): Schema {
  return { required: true, content: { 'application/x-www-form-urlencoded': { schema: ref(name), example } } };
}

function answers(name: string, example?: object): Schema {
  const content = { 'application/json': { schema: ref(name), ...(example ? { example } : {}) } };
  const refused = {
    description: 'Refused (RFC 6749 §5.2)',
    content: { 'application/json': { schema: ref('OAuthError') } },
  };
  return { 200: { description: 'Done', content }, 400: refused, 401: refused, 429: refused };
}
