/** What programs and lists see of a sensor: memo and `state` query. Pure. */
import { cutText, isObject, sameJson } from '../sensors/json.js';
import { keyCount } from '../sensors/key-ledger.js';
import { PROTOCOL, type LoopState, type SensorMemo, type SensorState, type TickRecord } from '../sensors/protocol.js';
import { waitingRequests } from './launch-rules.js';
import { factsOf, isHolding, isRunning } from './state.js';

/**
 * The slow-changing facts. Each change costs a history event, so nothing that every tick changes is in it.
 *
 * @param protocol that this run of the loop was started with: what it writes must replay
 */
export function memoOf(state: LoopState, protocol: number = PROTOCOL): SensorMemo {
  const { options, choice, health, deadLetters } = state;
  const pendingUntil = isHolding(state) ? state.launch?.dueAt : undefined;
  return {
    status: isRunning(state) ? 'running' : 'stopped',
    statusFrom: choice === undefined ? 'code' : 'operator',
    ...(choice?.by === undefined ? {} : { statusBy: choice.by }),
    ...(choice?.reason === undefined ? {} : { statusReason: choice.reason }),
    ...(choice?.until === undefined ? {} : { statusUntil: choice.until }),
    health: health.status,
    ...(protocol < 2 ? {} : times(state)),
    ...unfolded(state),
    ...(protocol < 3 || (isRunning(state) && !isHolding(state)) ? {} : { facts: factsOf(state) }),
    intervalMs: options.intervalMs,
    pending: pendingOf(state).count,
    ...(pendingUntil === undefined ? {} : { pendingUntil }),
    deadLetters: deadLetters.length,
    jobs: options.jobs,
    ...(options.description === undefined ? {} : { description: options.description }),
    tags: options.tags,
    owners: options.owners,
    options: JSON.stringify(options),
    protocol,
  };
}

/**
 * Whether a memo need not be told again. What it says of ticks goes with what else changes: of a sensor that runs, it
 * costs no event of its own, and loops that told nothing of them replay.
 */
export function isTold(told: unknown, memo: SensorMemo): boolean {
  if (memo.status === 'stopped' || !isObject(told)) return sameJson(told, memo);
  return sameJson({ ...told, facts: undefined }, { ...memo, facts: undefined });
}

const SAMPLE = 20;
/** So many idle ticks in a row that left a record are no accident. */
const UNFOLDED_TICKS = 3;

/** Why idle ticks do not fold: those that follow each other for no other reason than the interval tell. */
function unfolded({ ring }: LoopState): Pick<SensorMemo, 'unfolded'> {
  const last = ring.slice(-UNFOLDED_TICKS);
  const idle = ({ status, trigger }: TickRecord): boolean => status === 'skipped' && trigger === 'interval';
  if (last.length < UNFOLDED_TICKS || !last.every(idle)) return {};
  if (last.every(({ cursorChanged }) => cursorChanged === true))
    return { unfolded: 'the cursor changes at every tick' };
  return last.every(({ rejected }) => rejected.count > 0) ? { unfolded: 'every tick rejects something new' } : {};
}

const MAX_MEMO_ERROR_BYTES = 300;

/** Since when the sensor is what it is, and why. Loops of protocol 1 do without: their histories have fewer changes of the memo. */
function times({
  choice,
  health,
  ring,
}: LoopState): Pick<SensorMemo, 'statusAt' | 'failingSince' | 'error' | 'recovered' | 'behindSince'> {
  const { behindSince } = ring.at(-1) ?? {};
  return {
    ...(choice === undefined ? {} : { statusAt: choice.at }),
    ...(health.status === 'failing'
      ? { failingSince: health.since, error: cutText(health.error ?? '', MAX_MEMO_ERROR_BYTES) }
      : {}),
    ...(health.status === 'ok' && health.failingBefore !== undefined
      ? { recovered: { failingSince: health.failingBefore, at: health.since } }
      : {}),
    ...(behindSince === undefined ? {} : { behindSince }),
  };
}

/** Requests that wait for a start or for the next tick: how many, and the next few. */
function pendingOf(state: LoopState): SensorState['pending'] {
  const { launch } = state;
  if (launch === undefined || !isHolding(state)) return { count: 0, sample: [] };
  const sample = launch.remaining
    .slice(0, SAMPLE)
    .map(({ id, runKey }) => ({ id, ...(runKey === undefined ? {} : { runKey: cutText(runKey, 256) }) }));
  return { count: waitingRequests(launch), sample };
}

export function stateView(sensor: string, state: LoopState, evaluating: boolean): SensorState {
  return {
    sensor,
    status: isRunning(state) ? 'running' : 'stopped',
    ...(state.choice === undefined ? {} : { choice: state.choice }),
    startedAt: state.startedAt,
    ...(state.cursor === undefined ? {} : { cursor: state.cursor }),
    tick: state.tick,
    ...(state.lastTickAt === undefined ? {} : { lastTickAt: state.lastTickAt }),
    ...(state.lastRunKey === undefined ? {} : { lastRunKey: state.lastRunKey }),
    ...(isRunning(state) && !evaluating ? { nextAt: state.launch?.dueAt ?? state.nextAt } : {}),
    evaluating,
    health: state.health,
    pending: pendingOf(state),
    keys: keyCount(state.ledger),
    rearmed: state.rearmed,
    deadLetters: state.deadLetters,
    audit: state.audit,
    eventsWaiting: state.inbox.length,
    counters: state.counters,
    options: state.options,
  };
}
