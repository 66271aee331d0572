/**
 * The runs of a backfill: starting them, and hearing how they end.
 *
 * Of a run that is a child of this run of the backfill Temporal tells the end. Any other that runs (it was started before a
 * continue-as-new, or by a run of this backfill that was terminated) is watched by an activity, whose attempts cost no history
 * until one of them has ended.
 */
import {
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  proxyActivities,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { Workflow } from '@temporalio/common';
import type { SensorActivities } from '../activities/index.js';
import type { LaunchRequest, RunMemo } from '../sensors/protocol.js';
import type { BackfillState } from './backfill-state.js';
import * as rules from './backfill-state.js';
import { parseEnds, type PreparedRun } from './parse-backfill.js';
import { startRun } from './start-run.js';

interface Holder {
  readonly get: () => BackfillState;
  readonly set: (state: BackfillState) => void;
}

export interface BackfillRuns {
  /** Starts these, the next ones in order, and returns when each start is answered. */
  readonly start: (prepared: readonly PreparedRun[]) => Promise<void>;
  /** Watches the runs that are no children of this run of the backfill. */
  readonly watch: () => void;
  /** Cancels all that run, those that are being started as soon as their start is answered. */
  readonly cancel: () => void;
}

export function createBackfillRuns(
  workflowId: string,
  facts: Omit<RunMemo, 'job'>,
  { get, set }: Holder
): BackfillRuns {
  // without a limit: how a run ended must not be guessed
  const { watchRuns } = proxyActivities<Pick<SensorActivities, 'watchRuns'>>({
    startToCloseTimeout: '1 minute',
    summary: `runs of ${facts.backfill ?? workflowId} that go on`,
    retry: { initialInterval: '1 second', backoffCoefficient: 1 },
  });
  const children = new Set<string>();
  /** Runs whose start is not answered yet: nobody may look for them. */
  const starting = new Set<string>();
  /** The others that are watched. */
  let watched: ReadonlySet<string> = new Set();
  let watching: CancellationScope | undefined;
  let cancelled = false;

  async function start(prepared: readonly PreparedRun[]): Promise<void> {
    await Promise.all(
      prepared.map(async (each) => {
        const partition = rules.labelOf(get(), each.key);
        if ('error' in each) {
          set(rules.skip(get(), { partition, error: each.error }));
          return;
        }
        const { request } = each;
        starting.add(request.id);
        set(rules.begin(get(), { id: request.id, partition }));
        await startOne(request);
      })
    );
    watch();
  }

  async function startOne(request: LaunchRequest): Promise<void> {
    const { id } = request;
    const child = await startRun(request, facts);
    starting.delete(id);
    if (cancelled) cancelOne(id);
    if (child === undefined) return;
    children.add(id);
    void follow(id, child);
  }

  async function follow(id: string, child: ChildWorkflowHandle<Workflow>): Promise<void> {
    let error: string | undefined;
    try {
      await child.result();
    } catch (thrown) {
      error = describe(thrown);
    }
    set(rules.end(get(), id, error));
  }

  function others(): readonly string[] {
    return get()
      .running.map(({ id }) => id)
      .filter((id) => !children.has(id) && !starting.has(id));
  }

  function watch(): void {
    if (others().every((id) => watched.has(id))) return;
    watching?.cancel();
    watching = new CancellationScope();
    void watchOthers(watching);
  }

  async function watchOthers(scope: CancellationScope): Promise<void> {
    for (let ids = others(); ids.length > 0; ids = others()) {
      watched = new Set(ids);
      try {
        const ends = parseEnds(await scope.run(() => watchRuns({ workflowId, ids })));
        for (const { id, error } of ends) set(rules.end(get(), id, error));
      } catch (error) {
        // there is a newer watch, or the backfill ends; a failure can only be somebody's who failed the activity by hand
        if (isCancellation(error)) return;
      }
    }
  }

  function cancel(): void {
    cancelled = true;
    // before the server has it, a run is not found
    for (const { id } of get().running) if (!starting.has(id)) cancelOne(id);
  }

  function cancelOne(id: string): void {
    void getExternalWorkflowHandle(id)
      .cancel()
      .catch((error: unknown) => log.debug(`run '${id}' could not be cancelled; it has ended`, { error }));
  }

  return { start, watch, cancel };
}

/** What the innermost cause says that says something, as of the runs that are watched: an activity's own failure says nothing. */
function describe(thrown: unknown): string {
  let said = String(thrown);
  for (let each = thrown; each instanceof Error; each = each.cause) if (each.message !== '') said = each.message;
  return said;
}
