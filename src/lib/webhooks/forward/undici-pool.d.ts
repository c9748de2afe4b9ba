/** The part of undici that forwards: the same code as `import { Pool } from 'undici'`, without fetch, mocks and WebSocket. */
declare module 'undici/lib/dispatcher/pool.js' {
  const Pool: typeof import('undici').Pool;
  export default Pool;
}
