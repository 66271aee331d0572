import { colored, table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { formatDuration, plain } from '../../sensors/text.js';
import { sensorView } from '../views.js';

/** `sensors list` */
export async function list(session: Session, output: Output): Promise<void> {
  const sensors = await session.call(() => session.sensors.list());
  output.result(sensors.map(sensorView), (colors) => {
    if (sensors.length === 0) {
      return [
        `No sensors in namespace '${session.namespace}' on ${session.address}. A sensor appears when a worker with it starts.`,
      ];
    }
    const rows = sensors.map((each) => [
      plain(each.sensor),
      each.unreadable === true ? 'encrypted' : colored(each.status, colors),
      each.statusFrom === 'code' ? 'code' : plain(each.statusBy ?? 'operator', 40),
      colored(each.health, colors),
      formatDuration(each.intervalMs),
      String(each.pending),
      String(each.deadLetters),
      plain(each.jobs.join(', '), 60),
    ]);
    return table(['SENSOR', 'STATUS', 'BY', 'HEALTH', 'INTERVAL', 'PENDING', 'DEAD LETTERS', 'JOBS'], rows, colors);
  });
}
