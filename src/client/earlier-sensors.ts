/** The names that a sensor's runs may bear: its own, and those from which it was renamed. Pure. */
import type { LoopState } from '../sensors/protocol.js';

/** Begins what the audit says of a rename; the earlier name follows. */
export const RENAMED_FROM = 'renamed from ';

/** Its own name first. */
export function sensorNames(
  sensor: string,
  { options, audit }: Pick<LoopState, 'options' | 'audit'>
): readonly string[] {
  const { sensor: earlier } = options.earlier ?? {};
  const renamed = audit.filter(({ what }) => what.startsWith(RENAMED_FROM));
  const names = renamed.map(({ what }) => what.slice(RENAMED_FROM.length)).toReversed();
  return [...new Set([sensor, ...(typeof earlier === 'string' ? [earlier] : []), ...names])];
}
