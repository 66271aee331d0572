/** For a worker's own `npm start`: a Temporal server to connect to, started if there is none. */
export { resolveTemporal } from './resolve-temporal.js';
export type { ResolvedTemporal } from './resolve-temporal.js';
