/** Which partition an error is about. Failures of Temporal are not encrypted, so a worker only says its place in the request. Pure. */
import type { BackfillRequest } from '../sensors/backfill.js';
import { quote } from '../sensors/errors.js';

/** The same for an event of an asset: `partition 'paris' is not in …`. */
export function namePartition(message: string, partition: string): string {
  return message.replace(/(?<=: partition )(?=is not in )/, `${quote(partition)} `);
}

/** `partitions[1] 'paris' is not in …` instead of `partitions[1] is not in …`; what is named already stays. */
export function namePartitions(message: string, { partitions }: Pick<BackfillRequest, 'partitions'>): string {
  return message.replaceAll(/\bpartitions(?:\[(\d+)\]|\.(from|to))(?! \()/g, (place, index?: string, end?: string) => {
    const key: unknown = Object(partitions)[index ?? end ?? ''];
    return typeof key === 'string' ? `${place} ${quote(key)}` : place;
  });
}
