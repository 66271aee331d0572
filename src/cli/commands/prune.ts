import { confirm } from '../confirm.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { count, plain } from '../../sensors/text.js';

export interface PruneOptions {
  readonly yes?: boolean;
}

/** `sensors prune <sensor>`: forgets it for good. */
export async function prune(session: Session, output: Output, sensor: string, { yes }: PruneOptions): Promise<void> {
  const { taskQueue, pending, deadLetters } = await session.call(() => session.sensors.describe(sensor));
  const workers = await session.call(() => session.sensors.workers(taskQueue));
  const details = [
    `It forgets the cursor, run keys, ticks, ${count(pending, 'pending request')} and ${count(deadLetters, 'dead letter')} ` +
      `of ${plain(sensor)}. Its runs stay.`,
    ...(workers.length === 0
      ? []
      : ['A worker polls its task queue; if it has the sensor, it starts it anew at its next start.']),
  ];
  await confirm({ action: `prune sensor '${plain(sensor)}'`, details, yes, readOnly: session.readOnly });
  const pruned = await session.call(() => session.sensors.prune(sensor));
  output.result({ sensor, ...pruned }, () => [
    `${plain(sensor)} is forgotten: ${count(pruned.loopRuns, 'run')} of its loop and ${count(pruned.pages, 'page')} removed.`,
  ]);
}
