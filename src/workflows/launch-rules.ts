/** Requests on their way to being runs: held back, started, refused, ended. Pure. */
import { cutText } from '../sensors/json.js';
import { MAX_RECENT_KEYS } from '../sensors/limits.js';
import type { EvaluationInput, LaunchRequest, LoopState, Rejection, TickRecord } from '../sensors/protocol.js';
import { addDeadLetters, addTick } from './records.js';
import { isHolding } from './state.js';
import { newRecord } from './tick.js';

/** A record for requests that were held back by a stop and are started now. */
export function resumeLaunch(state: LoopState, now: number): LoopState {
  if (!isHolding(state) || state.launch === undefined) return state;
  const tick = state.tick + 1;
  const input = { tick, events: [] } as unknown as EvaluationInput;
  const details = { logs: [], logLinesDropped: 0, durationMs: 0, quiet: [] };
  const record = newRecord({ input, trigger: 'pending', dueAt: now }, details, now);
  return { ...state, tick, launch: { ...state.launch, record } };
}

/** One request is settled: started, or refused because its ID exists. */
export function settle(state: LoopState, request: LaunchRequest, outcome: 'started' | 'refused'): LoopState {
  const { launch } = state;
  if (launch?.record === undefined) return state;
  const recentKeys =
    request.hash === undefined ? state.recentKeys : [...state.recentKeys, request.hash].slice(-MAX_RECENT_KEYS);
  if (outcome === 'refused')
    return { ...state, recentKeys, launch: { ...launch, refused: [...launch.refused, request] } };
  const runs = { count: launch.record.runs.count + 1, sample: [...launch.record.runs.sample, request.id].slice(0, 20) };
  return {
    ...state,
    recentKeys,
    launch: { ...launch, record: { ...launch.record, runs } },
    counters: { ...state.counters, runs: state.counters.runs + 1 },
  };
}

/**
 * Ends the launch: everything is started, refused or (after a stop) held back.
 *
 * @param foreign IDs among the refused ones that belong to someone else, with what owns them
 */
export function endLaunch(
  state: LoopState,
  remaining: readonly LaunchRequest[],
  foreign: ReadonlyMap<string, string>,
  now: number
): LoopState {
  const { launch, ...rest } = state;
  if (launch?.record === undefined) return state;
  const rejections = launch.refused.flatMap((request): Rejection[] => {
    const owner = foreign.get(request.id);
    if (owner === undefined) return [];
    const error = `the workflow ID '${cutText(request.id, 300)}' belongs to ${owner}, which this sensor did not start`;
    return [
      {
        id: request.hash ?? request.id,
        kind: 'owner',
        job: request.job,
        error,
        ...(request.runKey === undefined ? {} : { runKey: cutText(request.runKey, 256) }),
      },
    ];
  });
  const ours = launch.refused.filter(({ id }) => !foreign.has(id));
  const { letters, refused } = addDeadLetters(state.deadLetters, rejections, launch.record.tick, now);
  const foreignHashes = new Set(rejections.map(({ id }) => id));
  const { record } = launch;
  const duplicates = {
    count: record.duplicates.count + ours.length,
    sample: [
      ...record.duplicates.sample,
      ...ours.map(({ id, runKey }) => ({ id, ...(runKey === undefined ? {} : { runKey: cutText(runKey, 256) }) })),
    ].slice(0, 20),
  };
  const rejected = {
    count: record.rejected.count + rejections.length,
    sample: [...record.rejected.sample, ...rejections],
  };
  const ended: TickRecord = {
    ...record,
    duplicates,
    rejected,
    pending: remaining.length,
    endedAt: now,
    ...outcome({ ...record, duplicates, rejected }, remaining.length),
  };
  return {
    ...rest,
    recentKeys: state.recentKeys.filter((hash) => !foreignHashes.has(hash)),
    deadLetters: letters,
    ring: addTick(state.ring, ended),
    ...(remaining.length > 0 ? { launch: { remaining, refused: [] } } : {}),
    counters: {
      ...state.counters,
      ticks: state.counters.ticks + 1,
      duplicates: state.counters.duplicates + ours.length,
      rejected: state.counters.rejected + rejections.length,
      deadLettersDropped: state.counters.deadLettersDropped + refused.length,
    },
  };
}

function outcome(record: TickRecord, pending: number): Pick<TickRecord, 'status' | 'skipReason' | 'error'> {
  if (record.runs.count > 0) return { status: 'success' };
  if (pending > 0) return { status: 'skipped', skipReason: `the sensor was stopped; ${pending} requests are pending` };
  if (record.skipReason !== undefined) return { status: 'skipped' };
  if (record.rejected.count > 0) {
    const [first] = record.rejected.sample;
    return {
      status: 'failure',
      error: `all ${record.rejected.count} new requests were rejected; the first: ${first?.error ?? ''}`,
    };
  }
  const reason =
    record.duplicates.count > 0 ? `${record.duplicates.count} requests, all already run` : 'evaluate asked for nothing';
  return { status: 'skipped', skipReason: reason };
}
