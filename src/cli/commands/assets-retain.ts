import type { AssetDescription } from '../../client/index.js';
import { count, formatDuration, plain } from '../../sensors/text.js';
import { DEFAULT_RETENTION } from '../../workflows/asset-log-state.js';
import { confirm } from '../confirm.js';
import { UsageError } from '../errors.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { retentionLine } from './assets-show.js';

export interface RetainOptions {
  readonly events?: number;
  /** In milliseconds. */
  readonly age?: number;
  readonly yes?: boolean;
}

type Retention = ReturnType<typeof parseRetainOptions>;

/** What the options ask for; what they do not name is the default. @throws UsageError */
export function parseRetainOptions({ events, age }: RetainOptions): {
  readonly events: number;
  readonly ageMs?: number;
} {
  if (events === undefined && age === undefined)
    throw new UsageError('say how much to keep: --events, such as 10000, or --age, such as 30d, or both');
  return { events: events ?? DEFAULT_RETENTION.events, ...(age === undefined ? {} : { ageMs: age }) };
}

/** What of its log goes now, in words; nothing when nothing does. What a sensor has still to read stays. */
export function lossOf({ log, state, readers }: AssetDescription, { events, ageMs }: Retention): string | undefined {
  if (log === 'none') return undefined;
  if (state === undefined) return 'events, how many only a worker could tell,';
  const { first, last, retention } = state;
  const unread = Math.min(last, ...readers.flatMap(({ position }) => position ?? []));
  const beyond = Math.max(0, Math.min(last - events, unread) - first + 1);
  const older = ageMs !== undefined && ageMs < (retention.ageMs ?? Infinity) ? formatDuration(ageMs) : undefined;
  if (beyond === 0) return older === undefined ? undefined : `events older than ${older}`;
  return `${count(beyond, 'event')}${older === undefined ? '' : `, and those older than ${older},`}`;
}

/** `sensors assets retain <asset>`: a signal, so no worker is needed. */
export async function retainAsset(
  session: Session,
  output: Output,
  asset: string,
  retention: Retention,
  { yes }: Pick<RetainOptions, 'yes'>
): Promise<void> {
  const loss = lossOf(await session.call(() => session.sensors.describeAsset(asset)), retention);
  if (loss !== undefined) {
    const details = [`Kept is ${retentionLine(retention)}.`];
    const action = `drop ${loss} from the log of asset '${plain(asset)}'`;
    await confirm({ action, details, yes, readOnly: session.readOnly });
  }
  await session.call(() => session.sensors.retainAsset(asset, retention));
  output.result({ asset, retention }, () => [
    `The log of ${plain(asset)} is told to keep ${retentionLine(retention)}.`,
  ]);
}
