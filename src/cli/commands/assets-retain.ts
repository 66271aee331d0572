import { plain } from '../../sensors/text.js';
import { DEFAULT_RETENTION } from '../../workflows/asset-log-state.js';
import { UsageError } from '../errors.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { retentionLine } from './assets-show.js';

export interface RetainOptions {
  readonly events?: number;
  /** In milliseconds. */
  readonly age?: number;
}

/** What the options ask for; what they do not name is the default. @throws UsageError */
export function parseRetainOptions({ events, age }: RetainOptions): {
  readonly events: number;
  readonly ageMs?: number;
} {
  if (events === undefined && age === undefined)
    throw new UsageError('say how much to keep: --events, such as 10000, or --age, such as 30d, or both');
  return { events: events ?? DEFAULT_RETENTION.events, ...(age === undefined ? {} : { ageMs: age }) };
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
