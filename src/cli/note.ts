/** Who asks and why, as the sensor's audit shows it. */
import type { Note } from '../client/index.js';
import { operator } from './operator.js';

/** `--reason` of the commands that change something. */
export interface ReasonOption {
  readonly reason?: string;
}

export function noteOf({ reason }: ReasonOption): Note {
  return { by: operator(), ...(reason === undefined ? {} : { reason }) };
}
