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

/** What of its log may go now, in words; nothing when nothing does. What a sensor has still to read stays. */
export function lossOf({ log, state, readers }: AssetDescription, { events, ageMs }: Retention): string | undefined {
  if (log === 'none') return undefined;
  if (state === undefined) return 'events, how many only a worker could tell,';
  const { first, last, retention } = state;
  const unread = Math.min(last, ...readers.flatMap(({ keptAfter }) => keptAfter ?? []));
  const beyond = Math.max(0, Math.min(last - events, unread) - first + 1);
  const older = ageMs !== undefined && ageMs < (retention.ageMs ?? Infinity) ? formatDuration(ageMs) : undefined;
  if (beyond === 0) return older === undefined ? undefined : `events older than ${older}`;
  return `up to ${count(beyond, 'event')}${older === undefined ? '' : `, and those older than ${older},`}`;
}

/** A sensor for which events are kept that would go else. */
interface Holder {
  readonly sensor: string;
  /** All events after this position are kept for it. */
  readonly keptAfter: number;
  /** `events`: the limit of their number would let some of them go; `age`: some of them may be older than that limit. */
  readonly against: 'events' | 'age';
}

/** Those that are furthest behind first. */
export function holdersOf({ state, readers }: AssetDescription, { events, ageMs }: Retention): readonly Holder[] {
  if (state === undefined) return [];
  const { last } = state;
  return readers
    .flatMap(({ sensor, keptAfter }): Holder[] => {
      if (keptAfter === undefined) return [];
      if (keptAfter < last - events) return [{ sensor, keptAfter, against: 'events' }];
      // how old they are is not known here
      return ageMs === undefined || keptAfter >= last ? [] : [{ sensor, keptAfter, against: 'age' }];
    })
    .sort((a, b) => a.keptAfter - b.keptAfter);
}

/** Why less goes than one may think. */
function remarks(loss: string | undefined, holders: readonly Holder[]): readonly string[] {
  const [first] = holders;
  const held = first?.against === 'age' ? 'May be held back' : 'Held back';
  const more = holders.length > 1 ? ` (and ${count(holders.length - 1, 'sensor')} less far behind)` : '';
  return [
    ...(first === undefined
      ? []
      : [
          `${held} by ${plain(first.sensor)}${more}: what comes after event ${first.keptAfter} stays until it has handled it, or was silent for 30 days.`,
        ]),
    ...(loss === undefined
      ? []
      : [
          'Only whole pages of events go: those that share one with an event that stays do not, nor do the newest, up to 128 KB.',
        ]),
  ];
}

/** `sensors assets retain <asset>`: a signal, so no worker is needed. */
export async function retainAsset(
  session: Session,
  output: Output,
  asset: string,
  retention: Retention,
  { yes }: Pick<RetainOptions, 'yes'>
): Promise<void> {
  const description = await session.call(() => session.sensors.describeAsset(asset));
  const loss = lossOf(description, retention);
  const heldBy = holdersOf(description, retention);
  const why = remarks(loss, heldBy);
  if (loss !== undefined) {
    const details = [`Kept is ${retentionLine(retention)}.`, ...why];
    const action = `drop ${loss} from the log of asset '${plain(asset)}'`;
    await confirm({ action, details, yes, readOnly: session.readOnly });
  }
  await session.call(() => session.sensors.retainAsset(asset, retention));
  output.result({ asset, retention, heldBy }, () => [
    `The log of ${plain(asset)} is told to keep ${retentionLine(retention)}.`,
    // said before where it was asked
    ...(loss === undefined || yes === true ? why : []),
  ]);
}
