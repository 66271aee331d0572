/** A page: a payload kept as the input of a workflow whose start lies 100 years ahead. See `client/pages.ts`. */
import { condition } from '@temporalio/workflow';

/** Never runs, unless somebody signals it in Temporal Web; then it waits, so that its payload stays. */
export async function sensorPage(_content: unknown): Promise<void> {
  await condition(() => false);
}
