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
  const description = await session.call(() => session.sensors.describeAsset(asset)).catch(ifPruned);
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

/** What is lost, and who will notice. */
export function whatGoes({ asset, state, recorded, readers, watchers, owners }: AssetDescription): readonly string[] {
  const { last } = state ?? recorded ?? {};
  const kept = state === undefined ? last : state.last - state.first + 1;
  const events = kept === undefined ? 'all events' : count(kept, 'event');
  const reading = readers.map(({ sensor }) => sensor);
  return [
    `It forgets ${events} of ${plain(asset)} and how far its readers are. The runs that made it stay.`,
    ...(reading.length === 0 ? [] : [`Read or watched by ${plain(reading.join(', '))}.`]),
    ...(watchers.length === 0 && owners.length === 0
      ? []
      : [
          'Sensors still tell of it: it stays in the list, and its next event begins a new log, which they handle from the first.',
        ]),
  ];
}
