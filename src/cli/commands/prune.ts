import { SensorNotFoundError, type SensorDescription } from '../../client/index.js';
import { confirm } from '../confirm.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { count, plain } from '../../sensors/text.js';
import { removing } from './removing.js';

export interface PruneOptions {
  readonly yes?: boolean;
}

/** `sensors prune <sensor>`: forgets it for good. */
export async function prune(session: Session, output: Output, sensor: string, { yes }: PruneOptions): Promise<void> {
  const description = await session.call(() => session.sensors.describe(sensor)).catch(ifPruned);
  if (description !== undefined) {
    const details = await whatGoes(session, description);
    await confirm({ action: `prune sensor '${plain(sensor)}'`, details, yes, readOnly: session.readOnly });
  }
  const pruned = await removing(output, (onRemoved) => session.sensors.prune(sensor, { onRemoved }));
  output.result({ sensor, ...pruned }, () => [
    `${plain(sensor)} is forgotten: ${count(pruned.loopRuns, 'run')} of its loop and ${count(pruned.pages, 'page')} removed.`,
  ]);
}

/** Nothing of a sensor that was pruned before: what that has left is removed, if there is something. */
function ifPruned(error: unknown): undefined {
  if (!(error instanceof SensorNotFoundError)) throw error;
}

async function whatGoes(session: Session, description: SensorDescription): Promise<readonly string[]> {
  const { sensor, taskQueue, pending, deadLetters } = description;
  const workers = await session.call(() => session.sensors.workers(taskQueue));
  return [
    `It forgets the cursor, run keys, ticks, ${count(pending, 'pending request')} and ${count(deadLetters, 'dead letter')} ` +
      `of ${plain(sensor)}. Its runs stay.`,
    ...(workers.length === 0
      ? []
      : ['A worker polls its task queue; if it has the sensor, it starts it anew at its next start.']),
  ];
}
