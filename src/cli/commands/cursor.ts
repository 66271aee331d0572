/**
 * `sensors cursor`: the only commands beside `preview` that print cursors. A change shows the old value and the new one
 * before it asks, because a wrong cursor skips items without a word.
 */
import type { Note, SensorState, StoredCursor } from '../../client/index.js';
import type { Json } from '../../sensors/json.js';
import { confirm } from '../confirm.js';
import { noteOf, type ReasonOption } from '../note.js';
import type { Output } from '../output.js';
import { withHistoryProgress } from '../progress.js';
import type { Session } from '../session.js';
import { plain, printableJson } from '../../sensors/text.js';
import { changeSensor } from './change-sensor.js';
import { requireWorker } from './require-worker.js';

const SHOWN_CHARACTERS = 2_000;

export interface CursorOptions extends ReasonOption {
  readonly yes?: boolean;
}

/** `sensors cursor get <sensor>` */
export async function getCursor(session: Session, output: Output, sensor: string): Promise<void> {
  const { cursor } = await readState(session, sensor);
  output.result({ sensor, ...valueOf(cursor) }, () => (cursor === undefined ? [] : [printableJson(cursor.value)]));
  if (cursor === undefined) output.note(`${plain(sensor)} has no cursor.`);
}

/** `sensors cursor set <sensor> <json>` */
export async function setCursor(
  session: Session,
  output: Output,
  sensor: string,
  value: Json,
  options: CursorOptions
): Promise<void> {
  const change = { after: { value }, apply: (note: Note) => session.sensors.setCursor(sensor, value, note) };
  await edit(session, output, sensor, change, options);
}

/** `sensors cursor clear <sensor>` */
export async function clearCursor(
  session: Session,
  output: Output,
  sensor: string,
  options: CursorOptions
): Promise<void> {
  const change = { after: undefined, apply: (note: Note) => session.sensors.clearCursor(sensor, note) };
  await edit(session, output, sensor, change, options);
}

/** `sensors cursor rewind <sensor> <tick>`: to what it was before that tick. */
export async function rewindCursor(
  session: Session,
  output: Output,
  sensor: string,
  tick: number,
  options: CursorOptions
): Promise<void> {
  await requireWorker(session, sensor);
  const ticks = await session.ask(sensor, () => session.sensors.ticks(sensor));
  // histories take as long as they take: only each call to the server is bounded
  const after = await withHistoryProgress(output, sensor, (onHistory) =>
    session.sensors.cursorBefore(sensor, tick, { ticks, onHistory })
  );
  const change = { after, apply: (note: Note) => session.sensors.rewindCursorTo(sensor, tick, after, note) };
  await edit(session, output, sensor, change, options);
}

interface Change {
  readonly after: StoredCursor | undefined;
  readonly apply: (note: Note) => Promise<SensorState>;
}

async function edit(
  session: Session,
  output: Output,
  sensor: string,
  { after, apply }: Change,
  options: CursorOptions
): Promise<void> {
  const { cursor: before } = await readState(session, sensor);
  const action = `change the cursor of sensor '${plain(sensor)}'`;
  const details = [`  old: ${shown(before)}`, `  new: ${shown(after)}`];
  await confirm({ action, details, yes: options.yes, readOnly: session.readOnly });
  const { cursor } = await changeSensor(session, output, sensor, () => apply(noteOf(options)));
  output.result({ sensor, before: valueOf(before), after: valueOf(cursor) }, () => [
    `The cursor of ${plain(sensor)} is changed; the sensor is evaluated from there now, or when it runs.`,
    `  old: ${shown(before)}`,
    `  new: ${shown(cursor)}`,
  ]);
}

async function readState(session: Session, sensor: string): Promise<SensorState> {
  await requireWorker(session, sensor);
  return await session.ask(sensor, () => session.sensors.state(sensor));
}

function valueOf(cursor: StoredCursor | undefined): { readonly value?: Json } {
  return cursor === undefined ? {} : { value: cursor.value };
}

function shown(cursor: StoredCursor | undefined): string {
  return cursor === undefined ? 'none' : plain(JSON.stringify(cursor.value), SHOWN_CHARACTERS);
}
