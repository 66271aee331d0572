import type { Preview, TickRecord } from '../../client/index.js';
import type { TickAssetEvent } from '../../sensors/asset-event.js';
import type { Json } from '../../sensors/json.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { operator } from '../operator.js';
import { colored, type Colors, type Output } from '../output.js';
import type { Session } from '../session.js';
import { count, plain } from '../../sensors/text.js';
import { changeSensor } from './change-sensor.js';
import { printTick, logLines, rejectedLines } from './tick.js';
import { waitForEvaluation } from './wait-for-evaluation.js';

export interface PreviewOptions {
  readonly cursor?: Json;
  readonly clearCursor?: boolean;
  readonly apply?: boolean;
}

/** `sensors preview <sensor>`: evaluates without committing; with `--apply` it then commits exactly what it showed. */
export async function preview(
  session: Session,
  output: Output,
  sensor: string,
  { cursor, clearCursor, apply }: PreviewOptions
): Promise<ExitCode> {
  const edit = clearCursor === true ? { clear: true } : cursor === undefined ? {} : { cursor };
  const { result, description } = await waitForEvaluation(session, sensor, () => session.sensors.preview(sensor, edit));
  if (apply !== true || result.id === undefined) {
    output.result(result, (colors) => text(sensor, result, colors));
    if (apply !== true && result.id !== undefined)
      output.note(`Nothing was started. With --apply, what is shown is committed.`);
    return result.status === 'failure' ? EXIT.tickFailed : EXIT.ok;
  }
  const { id } = result;
  const record: TickRecord = await changeSensor(
    session,
    output,
    sensor,
    () => session.sensors.apply(sensor, id, { by: operator() }),
    description.timeoutMs
  );
  printTick(session, output, sensor, record, description);
  return record.status === 'failure' ? EXIT.tickFailed : EXIT.ok;
}

function text(sensor: string, preview: Preview, colors: Colors): string[] {
  const { requests, duplicates, rejected, partitions = [], assetEvents, skipReason, error, events, logs } = preview;
  const hidden = requests.count - requests.sample.length;
  const unshown = (assetEvents?.count ?? 0) - (assetEvents?.sample.length ?? 0);
  const facts = [
    error ?? skipReason ?? '',
    requests.count === 0 ? '' : `${count(requests.count, 'run')} would start`,
    assetEvents === undefined ? '' : `${count(assetEvents.count, 'asset event')} would be recorded`,
    duplicates.count === 0 ? '' : count(duplicates.count, 'duplicate'),
    rejected.count === 0 ? '' : `${rejected.count} would be rejected`,
    events === 0 ? '' : `${count(events, 'pushed event')} taken`,
  ].filter((fact) => fact !== '');
  return [
    `Tick ${preview.tick} of ${plain(sensor)} would be: ${colored(preview.status, colors)}: ${plain(facts.join(', '))}`,
    ...requests.sample.map(
      ({ id, args }) => `  would start ${plain(id)} ${colors.dim(plain(JSON.stringify(args), 200))}`
    ),
    ...(hidden > 0 ? [`  and ${hidden} more`] : []),
    ...duplicates.sample.map(({ id }) => `  ${colors.dim('has run')} ${plain(id)}`),
    ...rejectedLines(rejected.sample, colors),
    ...partitions.map(
      ({ set, add, delete: gone }) => `  partitions of ${plain(set)}: ${add.length} added, ${gone.length} deleted`
    ),
    ...(assetEvents?.sample.map((event) => `  would record ${describeEvent(event)}`) ?? []),
    ...(unshown > 0 ? [`  and ${count(unshown, 'asset event')} more`] : []),
    ...cursorLines(preview),
    ...logLines(logs, colors),
  ];
}

function describeEvent({ kind, asset, partitionKey }: TickAssetEvent): string {
  return `${kind === 'materialization' ? 'a materialization' : 'an observation'} of ${plain(asset)}${partitionKey === undefined ? '' : `, partition ${plain(partitionKey)}`}`;
}

function cursorLines({ cursorBefore, cursor }: Preview): string[] {
  const before = cursorBefore === undefined ? 'none' : plain(JSON.stringify(cursorBefore.value), 200);
  if (cursor === undefined || cursor.kind === 'keep') return [`  cursor: ${before}, unchanged`];
  return [`  cursor: ${before} → ${cursor.kind === 'clear' ? 'none' : plain(JSON.stringify(cursor.value), 200)}`];
}
