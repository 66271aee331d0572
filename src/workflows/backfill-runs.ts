/**
 * The runs of a backfill: starting them, and hearing how they end.
 *
 * Of a run that is a child of this run of the backfill Temporal tells the end. Any other that runs (it was started before a
 * continue-as-new, or by a run of this backfill that was terminated) is watched by an activity, whose attempts cost no history
 * until one of them has ended.
 */
import { CancellationScope, isCancellation, proxyActivities, type ChildWorkflowHandle } from '@temporalio/workflow';
import { ChildWorkflowFailure, type Workflow } from '@temporalio/common';
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
  /** The others that are watched. */
  let watched: ReadonlySet<string> = new Set();
  let watching: CancellationScope | undefined;

  async function start(prepared: readonly PreparedRun[]): Promise<void> {
    await Promise.all(
      prepared.map(async (each) => {
        const partition = rules.labelOf(get(), each.key);
        if ('error' in each) {
          set(rules.skip(get(), { partition, error: each.error }));
          return;
        }
        const { request } = each;
        set(rules.begin(get(), { id: request.id, partition }));
        await startOne(request);
      })
    );
    watch();
  }

  async function startOne(request: LaunchRequest): Promise<void> {
    const child = await startRun(request, facts);
    if (child === undefined) return;
    children.add(request.id);
    void follow(request.id, child);
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
      .filter((id) => !children.has(id));
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
        for (const { id, error } of ends) if (!children.has(id)) set(rules.end(get(), id, error));
      } catch (error) {
        // there is a newer watch, or the backfill ends; a failure can only be somebody's who failed the activity by hand
        if (isCancellation(error)) return;
      }
    }
  }

  return { start, watch };
}

function describe(thrown: unknown): string {
  const cause = thrown instanceof ChildWorkflowFailure ? (thrown.cause ?? thrown) : thrown;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
