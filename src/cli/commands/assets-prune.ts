import { AssetNotFoundError, type AssetDescription } from '../../client/index.js';
import { confirm } from '../confirm.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { count, plain } from '../../sensors/text.js';
import type { PruneOptions } from './prune.js';
import { removing } from './removing.js';

/** `sensors assets prune <asset>`: forgets what was recorded of it. */
export async function pruneAsset(
  session: Session,
  output: Output,
  asset: string,
  { yes }: PruneOptions
): Promise<void> {
  const description = await session
    .call(() => session.sensors.describeAsset(asset, { askReaders: false }))
    .catch(ifPruned);
  if (description !== undefined) {
    const action = `prune asset '${plain(asset)}'`;
    await confirm({ action, details: whatGoes(description), yes, readOnly: session.readOnly });
  }
  const pruned = await removing(output, (onRemoved) => session.sensors.pruneAsset(asset, { onRemoved }));
  output.result({ asset, ...pruned }, () => [
    `What was recorded of ${plain(asset)} is forgotten: ${count(pruned.logRuns, 'run')} of its log and ${count(pruned.pages, 'page')} removed.`,
  ]);
}

/** Nothing of an asset that was pruned before and that no sensor tells of: what is left of it is removed. */
function ifPruned(error: unknown): undefined {
  if (!(error instanceof AssetNotFoundError)) throw error;
}

/** What is lost, and who will notice it how. */
export function whatGoes({ asset, state, recorded, readers, watchers, owners }: AssetDescription): readonly string[] {
  const { last } = state ?? recorded ?? {};
  const kept = state === undefined ? last : state.last - state.first + 1;
  const events = kept === undefined ? 'all events' : count(kept, 'event');
  const named = readers.map(({ sensor }) => sensor);
  const reads = readers.some(({ position }) => position !== undefined);
  return [
    `It forgets ${events} of ${plain(asset)} and how far its readers are. The runs that made it stay.`,
    ...(named.length === 0 ? [] : [`Read or watched by ${plain(named.join(', '))}.`]),
    ...(reads
      ? [
          'What they have still to read, or what waits for another asset, is gone, and what they try again is parked. When a new log begins, each fails one tick, which says so.',
        ]
      : []),
    ...(watchers.length === 0 && owners.length === 0
      ? []
      : [
          `Sensors still tell of it: it stays in the list, and ${reads ? 'a reader that looks, or its next event,' : 'its next event'} begins a new log, on the ` +
            'task queue of whoever that is and with the default retention. Its events are handled from the first.',
        ]),
  ];
}
