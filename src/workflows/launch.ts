/**
 * Starting runs: children in order, in a sliding window, each start awaited.
 *
 * - the server refuses an ID that exists (`start-run.ts`). A refused ID is looked up, so that one that belongs to
 *   somebody else is never counted as a duplicate.
 * - the window is bounded in starts and bytes: one workflow task with more gets the loop terminated by the server.
 * - starts are not cancellable: cancelling the sensor must neither lose a start half-way nor cancel running jobs.
 * - requests of a big tick are in pages; one page at a time is read, so that no history or state grows with the tick.
 */
import { CancellationScope, condition, log, patched, proxyActivities } from '@temporalio/workflow';
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import type { SensorActivities } from '../activities/index.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { jsonBytes } from '../sensors/json.js';
import { MAX_STARTING_BYTES, MAX_STARTS_IN_FLIGHT, MAX_STARTS_PER_RUN } from '../sensors/limits.js';
import {
  PAGE_ID_PREFIX,
  PENDING_PAGES,
  type AssetRecording,
  type LaunchRequest,
  type LoopState,
  type PartitionChange,
  type RequestPage,
  type RunMemo,
} from '../sensors/protocol.js';
import { parseRefusals, parseRequestPages, parseRequests, parseWaitingAssets } from './parse.js';
import { inTrace } from '../sensors/trace.js';
import * as rules from './rules.js';
import { startRun } from './start-run.js';

const PAGES_KEPT_AT_ONCE = 50;
/** In the history of each launch that records asset events: older code committed ticks without theirs. */
const RECORDS_ASSETS = 'temporal-sensors: asset events';

interface Holder {
  /** Of the code that began this run of the loop. */
  readonly protocol: number;
  readonly get: () => LoopState;
  readonly set: (state: LoopState) => void;
  /** A stop holds back what is not yet started. */
  readonly held: () => boolean;
  /** This run of the loop should end. */
  readonly full: () => boolean;
}

export interface Launcher {
  /** Starts what `state.launch` holds, as far as this run of the loop may. To be called again while its tick has not ended. */
  readonly run: () => Promise<void>;
  /** Starts one run, outside any tick. */
  readonly start: (request: LaunchRequest, memo: Omit<RunMemo, 'sensor' | 'job'>) => Promise<'started' | 'refused'>;
  /** Children started in this run of the loop. */
  readonly starts: () => number;
}

export function createLauncher(sensor: string, holder: Holder): Launcher {
  type Activities = Pick<SensorActivities, 'findOwners' | 'readRequests' | 'keepRequests'>;
  // without a limit: what cannot be read for a while must not be lost, and not be taken for something else
  const retry = { initialInterval: '1 second', maximumInterval: '10 seconds' } as const;
  const patient = { startToCloseTimeout: '1 minute', retry } as const;
  const { findOwners } = proxyActivities<Activities>({ ...patient, summary: 'whose the workflow IDs are that exist' });
  const { readRequests } = proxyActivities<Activities>({ ...patient, summary: 'next requests of a big tick' });
  const { keepRequests } = proxyActivities<Activities>({ ...patient, summary: 'keep requests that wait' });
  // with a limit: sets and logs whose workers are gone must not keep the loop from stopping and from continuing as new
  const bounded = { startToCloseTimeout: '30 seconds', scheduleToCloseTimeout: '2 minutes', retry } as const;
  const { recordTickEvents } = proxyActivities<Pick<SensorActivities, 'recordTickEvents'>>({
    ...bounded,
    summary: 'record events of assets',
  });
  const { changePartitions } = proxyActivities<Pick<SensorActivities, 'changePartitions'>>({
    ...bounded,
    summary: 'change partition sets',
  });
  let starts = 0;

  async function run(): Promise<void> {
    const changes = holder.get().launch?.partitions;
    if (changes !== undefined) {
      const before = holder.get();
      const refusals = await changed(changes);
      // older loops lost what was pushed and told meanwhile; their histories replay as they were
      const state = holder.protocol < 3 ? before : holder.get();
      holder.set(rules.endPartitions(state, refusals, Date.now()));
    }
    const { assetEvents, record } = holder.get().launch ?? {};
    if (assetEvents !== undefined && record !== undefined) {
      await recordAssets(assetEvents, assetEvents.tick ?? record.tick);
      // what is committed is recorded, however long that takes, and before anything starts
      if (holder.get().launch?.assetEvents !== undefined && !holder.held()) return;
    }
    for (;;) {
      await startBatch();
      const { refused = [] } = holder.get().launch ?? {};
      if (refused.length > 0) {
        const foreign = await owners(refused.map(({ id }) => id));
        holder.set(rules.endBatch(holder.get(), foreign, Date.now()));
      }
      const { launch } = holder.get();
      const [page] = launch?.staged ?? [];
      if (launch === undefined || launch.remaining.length > 0 || page === undefined || blocked()) break;
      await load(page.id);
    }
    const { launch } = holder.get();
    if (launch?.record === undefined) return;
    if (rules.waitingRequests(launch) > 0 && !holder.held() && !rules.isLimited(holder.get())) return;
    await keep(launch.staged.filter(({ id }) => !isKept(id)));
    holder.set(rules.endLaunch(holder.get(), Date.now()));
  }

  /** Changes partition sets; gives those that cannot be changed, and why. */
  async function changed(changes: readonly PartitionChange[]): Promise<ReturnType<typeof parseRefusals>> {
    try {
      return parseRefusals(await CancellationScope.nonCancellable(() => changePartitions({ changes })));
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      const why = `the partition set could not be changed: ${error.cause?.message ?? error.message}`;
      return changes.map(({ set }) => [set, why]);
    }
  }

  /** Records events of assets, or says why they cannot be; they stay in the state while their logs take none. */
  async function recordAssets(recording: AssetRecording, tick: number): Promise<void> {
    const { length } = recording.events;
    if (!patched(RECORDS_ASSETS)) {
      log.warn(
        `the ${length} asset events of tick ${tick} of sensor '${sensor}' were not recorded: a worker with an older ` +
          'version of temporal-sensors ran the loop then'
      );
      holder.set(rules.dropAssetEvents(holder.get()));
      return;
    }
    try {
      const given = await CancellationScope.nonCancellable(() => recordTickEvents({ sensor, tick, recording }));
      holder.set(rules.applyRecorded(holder.get(), parseWaitingAssets(given), Date.now()));
      return;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      const timedOut = error.cause instanceof TimeoutFailure;
      // of a timeout, what the last attempt said tells more
      const why = (timedOut ? error.cause.cause?.message : undefined) ?? error.cause?.message ?? error.message;
      if (timedOut || error.retryState === 'TIMEOUT') {
        holder.set(rules.delayAssetEvents(holder.get(), why));
        log.warn(`sensor '${sensor}': ${holder.get().launch?.record?.waitsFor ?? why}`);
        return;
      }
      holder.set(
        rules.endAssetEvents(holder.get(), `${length} asset events could not be recorded: ${why}`, Date.now())
      );
    }
  }

  /** Copies staged pages, some at a time, to pages that wait for as long as it takes. */
  async function keep(staged: readonly RequestPage[]): Promise<void> {
    for (let from = 0; from < staged.length; from += PAGES_KEPT_AT_ONCE) {
      const pages = staged.slice(from, from + PAGES_KEPT_AT_ONCE);
      const kept = await CancellationScope.nonCancellable(() => keepRequests({ sensor, pages }));
      holder.set(rules.keepPages(holder.get(), pages, parseRequestPages(kept)));
    }
  }

  function isKept(id: string): boolean {
    return id.startsWith(`${PAGE_ID_PREFIX}${sensor}/${PENDING_PAGES}/`);
  }

  /** Starts `remaining`, and returns when every start is answered. */
  async function startBatch(): Promise<void> {
    const { launch } = holder.get();
    if (launch?.record === undefined || launch.remaining.length === 0) return;
    const { tick, trace, trigger } = launch.record;
    const asked = trigger === 'pending' && launch.tick !== undefined ? { requestedAtTick: launch.tick } : {};
    const open = new Set(launch.remaining);
    let inFlight = 0;
    let bytes = 0;
    for (const request of launch.remaining) {
      const size = jsonBytes(request);
      const fits = (): boolean =>
        inFlight === 0 || (inFlight < MAX_STARTS_IN_FLIGHT && bytes + size <= MAX_STARTING_BYTES);
      if (!fits()) await CancellationScope.nonCancellable(() => condition(fits));
      if (blocked(inFlight)) break;
      starts++;
      inFlight++;
      bytes += size;
      void inTrace(trace, () => start(request, { tick, ...asked })).then((outcome) => {
        open.delete(request);
        holder.set(rules.settle(holder.get(), request, outcome, Date.now()));
        inFlight--;
        bytes -= size;
      });
    }
    await CancellationScope.nonCancellable(() => condition(() => inFlight === 0));
    const after = holder.get();
    if (after.launch === undefined) return;
    holder.set({ ...after, launch: { ...after.launch, remaining: launch.remaining.filter((each) => open.has(each)) } });
  }

  function blocked(inFlight = 0): boolean {
    return (
      holder.held() ||
      holder.full() ||
      starts >= MAX_STARTS_PER_RUN ||
      rules.isLimited(holder.get(), inFlight) ||
      CancellationScope.current().consideredCancelled
    );
  }

  async function load(id: string): Promise<void> {
    try {
      const requests = parseRequests(await CancellationScope.nonCancellable(() => readRequests({ id })));
      // no page is empty: somebody completed the activity by hand, and the page is read again
      if (requests.length > 0) holder.set(rules.loadPage(holder.get(), id, requests));
    } catch (error) {
      const cause = error instanceof ActivityFailure ? error.cause : undefined;
      if (!(cause instanceof ApplicationFailure) || cause.type !== FAILURE_TYPES.pageMissing) throw error;
      holder.set(rules.losePage(holder.get(), id, cause.message, Date.now()));
    }
  }

  async function owners(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const foreign = await CancellationScope.nonCancellable(() => findOwners({ sensor, ids }));
    return new Map(Object.entries(foreign ?? {}));
  }

  async function start(request: LaunchRequest, facts: Omit<RunMemo, 'sensor' | 'job'>): Promise<'started' | 'refused'> {
    return (await startRun(request, { sensor, ...facts })) === undefined ? 'refused' : 'started';
  }

  return { run, start, starts: () => starts };
}
