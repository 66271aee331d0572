import type { AssetSummary } from '../../client/index.js';
import { assetView } from '../asset-views.js';
import { table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { count, plain, relative } from '../../sensors/text.js';

/** `sensors assets list [name]`: without a worker. */
export async function listAssets(session: Session, output: Output, name: string | undefined): Promise<void> {
  const assets = await session.call(() => session.sensors.assets(name === undefined ? {} : { name }));
  output.result(assets.map(assetView), (colors) => {
    if (assets.length === 0) {
      const which = name === undefined ? '' : ` like '${plain(name)}'`;
      return [
        `No assets${which} in namespace '${session.namespace}' on ${session.address}. An asset appears when a worker starts whose sensors ` +
          `watch it or start a job that makes it, or when an event of it is recorded.`,
      ];
    }
    const rows = assets.map((each) => [
      plain(each.asset),
      lastOf(each),
      each.recorded === undefined ? '' : String(each.recorded.materializations),
      each.recorded === undefined ? '' : String(each.recorded.observations),
      each.partitions ?? '',
      plain(each.owners.join(', '), 40),
      plain(each.watchers.join(', '), 60),
      each.problems.length === 0 ? '' : colors.yellow(count(each.problems.length, 'problem')),
    ]);
    const header = ['ASSET', 'MATERIALIZED', 'TIMES', 'OBSERVED', 'PARTITIONS', 'MADE BY', 'WATCHED BY', ''];
    return table(header, rows, colors);
  });
}

function lastOf({ recorded, unknown }: AssetSummary): string {
  if (unknown !== undefined) return 'unknown';
  return recorded?.materializedAt === undefined ? 'never' : relative(recorded.materializedAt);
}
