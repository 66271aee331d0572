import { inBatches } from '../../client/batches.js';
import type { SensorRun } from '../../client/index.js';
import { firstOf } from '../newest-ticks.js';
import { colored, linkedTable, table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { plain, relative } from '../../sensors/text.js';
import { runView } from '../views.js';

/** Each error is a call to the server. */
const ERRORS_AT_ONCE = 20;

/** Temporal's names of them. */
const STATUSES = {
  running: 'Running',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Canceled',
  terminated: 'Terminated',
  timedOut: 'TimedOut',
  continuedAsNew: 'ContinuedAsNew',
} as const;

export type RunStatusName = keyof typeof STATUSES;

export interface RunsOptions {
  readonly limit: number;
  readonly status?: RunStatusName;
  readonly since?: Date | undefined;
  readonly key?: string;
}

/** `sensors runs <sensor>`: newest first. */
export async function runs(
  session: Session,
  output: Output,
  sensor: string,
  { limit, status, since, key }: RunsOptions
): Promise<void> {
  const filter = {
    status: status === undefined ? undefined : STATUSES[status],
    since,
    runKey: key,
  };
  const shown = await firstOf(session.sensors.runs(sensor, filter), limit, () => true);
  // runs outlive their sensor; without any, a misspelt name must not look like a quiet sensor
  if (shown.length === 0) await session.call(() => session.sensors.describe(sensor));
  const errors = new Map<SensorRun, string | undefined>();
  await inBatches(shown, ERRORS_AT_ONCE, async (run) =>
    errors.set(run, await session.call(() => session.sensors.runError(run)))
  );
  const views = shown.map((run) => runView(run, errors.get(run), session.webUrlOf(run)));
  output.result(views, (colors, width) => {
    if (shown.length === 0 && Object.values(filter).some((value) => value !== undefined))
      return [`No run of ${plain(sensor)} that Temporal still knows matches.`];
    if (shown.length === 0) return [`${plain(sensor)} has started no runs that Temporal still knows.`];
    const failed = views.some(({ error }) => error !== undefined);
    const partial = views.some(({ assets }) => assets !== undefined);
    const rows = shown.map((run) => [
      relative(run.startTime),
      colored(run.status, colors),
      plain(run.job),
      run.tick === undefined ? '' : String(run.tick),
      plain(run.runKey ?? '', 40),
      ...(partial ? [plain(run.assets?.join(', ') ?? 'all', 40)] : []),
      plain(run.workflowId),
      ...(failed ? [plain(errors.get(run) ?? '', 60)] : []),
    ]);
    const assets = partial ? ['ASSETS'] : [];
    const header = [
      'STARTED',
      'STATUS',
      'JOB',
      'TICK',
      'RUN KEY',
      ...assets,
      'WORKFLOW ID',
      ...(failed ? ['ERROR'] : []),
    ];
    const links = views.flatMap(({ webUrl }) => webUrl ?? []);
    return links.length === 0 ? table(header, rows, colors) : linkedTable(header, rows, links, colors, width);
  });
}
