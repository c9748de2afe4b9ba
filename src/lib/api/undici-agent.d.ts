/**
 * Types for the part of undici that is always loaded. `import 'undici'` evaluates fetch, caches, mocks and WebSocket too and costs more
 * than twice as much at start-up; this file is the same code, reached directly. Its type comes from the package.
 */
declare module 'undici/lib/dispatcher/agent.js' {
  const Agent: typeof import('undici').Agent;
  export default Agent;
}

declare module 'undici/lib/core/connect.js' {
  const buildConnector: typeof import('undici').buildConnector;
  export default buildConnector;
}
