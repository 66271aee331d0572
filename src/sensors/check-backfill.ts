/** A sensor's request for a backfill: whether it can be started, and as what. The backfill itself checks what only the server knows. */
import { backfillProblem, type BackfillRequest } from './backfill.js';
import type { JobDefinition } from './define-job.js';
import { toJson, type Json, type NotJsonError } from './json.js';
import { planBackfill } from './plan-backfill.js';
import { BACKFILL_TYPE, type LaunchRequest } from './protocol.js';
import type { GivenBackfill, RunRequest } from './run-request.js';

/**
 * The backfill to start, or why it cannot be.
 *
 * @param id its workflow ID
 * @param assets names of the assets that the runs are to make
 */
export function launchBackfill(
  { config, tags, runKey = '', via }: RunRequest,
  backfill: GivenBackfill,
  job: JobDefinition,
  {
    id,
    hash,
    assets,
    now,
  }: {
    readonly id: string;
    readonly hash: string | undefined;
    readonly assets: readonly string[] | undefined;
    readonly now: Date;
  }
): LaunchRequest | string {
  const tagged = Object.keys(tags).length === 0 ? {} : { tags };
  let request: BackfillRequest;
  try {
    request = {
      job: job.name,
      ...(toJson(backfill, 'the backfill') as unknown as Pick<BackfillRequest, 'partitions'>),
      ...(config === undefined ? {} : { config: toJson(config, 'config') }),
      ...tagged,
      ...(assets === undefined ? {} : { assets }),
    };
  } catch (error) {
    return (error as NotJsonError).message;
  }
  const wrong = backfillProblem(request) ?? unplannable(job, request, now);
  if (wrong !== undefined) return wrong;
  return {
    id,
    job: BACKFILL_TYPE,
    args: [{ request: request as unknown as Json }],
    ...(hash === undefined ? {} : { runKey, hash }),
    ...tagged,
    ...(via === undefined ? {} : { via }),
  };
}

/** Why there is no plan, as far as its job tells: keys of dynamic sets are on the server. */
function unplannable(job: JobDefinition, request: BackfillRequest, now: Date): string | undefined {
  const { partitions } = job;
  if (partitions === undefined || partitions.type === 'dynamic') return undefined;
  const plan = planBackfill(job, request, partitions.keys(now));
  return typeof plan === 'string' ? plan : undefined;
}
