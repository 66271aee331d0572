/** What every entry point of alerts exports for authors: types only. */
export type { AlertOptions } from './alert-sensor.js';
export type { GroupOptions } from './group.js';
export type {
  AlertDigest,
  AlertEvent,
  AlertLine,
  AlertMessage,
  AlertSubject,
  DigestCount,
  FromSubject,
} from './message.js';
