/**
 * While workers of two versions run, the loop of a sensor may be in the hands of the older one. It would drop, without a
 * word, what it does not know of a result: so nothing of it may be committed. Knows nothing of Temporal.
 */
import type { EvaluationOutcome } from './evaluation.js';
import type { EvaluationInput } from './protocol.js';
import { RetryAfterError } from './retry-after-error.js';

/** The first protocol whose loops know events of assets, runs for some assets of a job, and backfills. */
const ASSETS_PROTOCOL = 3;

/** Whether the loop that asks knows nothing of assets. */
export function isOlderLoop({ protocol = 0 }: Pick<EvaluationInput, 'protocol'>): boolean {
  return protocol < ASSETS_PROTOCOL;
}

/** @throws {@link RetryAfterError} for what an older loop would drop; only the loop can ask again with another protocol */
export function refuseOfOlderLoop({
  requests,
  assetEvents,
}: Pick<EvaluationOutcome, 'requests' | 'assetEvents'>): void {
  const dropped =
    assetEvents.length > 0 || requests.some(({ assets, backfill }) => assets !== undefined || backfill !== undefined);
  if (!dropped) return;
  throw new RetryAfterError(
    '30s',
    'asset events, assets of run requests and backfills cannot be committed: a worker with an older version of ' +
      'temporal-sensors runs the loop of this sensor; it is evaluated again, and goes on when that worker has ended'
  );
}
