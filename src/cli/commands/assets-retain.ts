import { parseDuration } from '../../sensors/duration.js';
import { DefinitionError } from '../../sensors/errors.js';
import { plain } from '../../sensors/text.js';
import { DEFAULT_RETENTION } from '../../workflows/asset-log-state.js';
import { UsageError } from '../errors.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { retentionLine } from './assets-show.js';

const MIN_AGE_MS = 60_000;
const MAX_AGE_MS = 100 * 366 * 24 * 60 * 60_000;

export interface RetainOptions {
  readonly events?: number;
  readonly age?: string;
}

/** What the options ask for; what they do not name is the default. @throws UsageError */
export function parseRetainOptions({ events, age }: RetainOptions): {
  readonly events: number;
  readonly ageMs?: number;
} {
  if (events === undefined && age === undefined)
    throw new UsageError('say how much to keep: --events, such as 10000, or --age, such as 30d, or both');
  try {
    return {
      events: events ?? DEFAULT_RETENTION.events,
      ...(age === undefined ? {} : { ageMs: parseDuration(age, '--age', MIN_AGE_MS, MAX_AGE_MS) }),
    };
  } catch (error) {
    throw error instanceof DefinitionError ? new UsageError(error.message) : error;
  }
}

/** `sensors assets retain <asset>`: a signal, so no worker is needed. */
export async function retainAsset(
  session: Session,
  output: Output,
  asset: string,
  retention: ReturnType<typeof parseRetainOptions>
): Promise<void> {
  await session.call(() => session.sensors.retainAsset(asset, retention));
  output.result({ asset, retention }, () => [
    `The log of ${plain(asset)} is told to keep ${retentionLine(retention)}.`,
  ]);
}
