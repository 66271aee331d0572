import type { SensorRun } from '../../client/index.js';
import { colored, table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { plain, relative } from '../text.js';
import { runView } from '../views.js';

/** `sensors runs <sensor>`: newest first. */
export async function runs(
  session: Session,
  output: Output,
  sensor: string,
  { limit }: { readonly limit: number }
): Promise<void> {
  const shown = await session.call(async () => {
    const newest: SensorRun[] = [];
    for await (const run of session.sensors.runs(sensor)) {
      newest.push(run);
      if (newest.length === limit) break;
    }
    return newest;
  });
  // runs outlive their sensor; without any, a misspelt name must not look like a quiet sensor
  if (shown.length === 0) await session.call(() => session.sensors.describe(sensor));
  const views = shown.map((run) => runView(run, session.webUrlOf(run)));
  output.result(views, (colors) => {
    if (shown.length === 0) return [`${plain(sensor)} has started no runs that Temporal still knows.`];
    const linked = views.some(({ webUrl }) => webUrl !== undefined);
    const rows = shown.map((run, index) => [
      relative(run.startTime),
      colored(run.status, colors),
      plain(run.job),
      run.tick === undefined ? '' : String(run.tick),
      plain(run.runKey ?? '', 40),
      plain(run.workflowId),
      ...(linked ? [views[index]?.webUrl ?? ''] : []),
    ]);
    const header = ['STARTED', 'STATUS', 'JOB', 'TICK', 'RUN KEY', 'WORKFLOW ID', ...(linked ? ['TEMPORAL WEB'] : [])];
    return table(header, rows, colors);
  });
}
