/**
 * The loop: the durable workflow that is a sensor.
 *
 * It evaluates (an activity, which folds quiet ticks into its own retries and so costs no history), starts what the
 * evaluation asked for as child workflows, waits for the interval or a message, and continues as new. The rules are
 * pure functions in `state.ts`; this file sequences them.
 *
 * Traps it avoids: every handler is registered before the first await and parses its input defensively; every child
 * start is awaited before continue-as-new; every size was checked in the activity before it came here.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  log,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setWorkflowOptions,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { SensorActivities } from '../activities/index.js';
import { describeTick } from '../sensors/describe-tick.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { rejected } from '../sensors/failures.js';
import { keyCount, ledgerKeys, planSeal, type KeyPage, type Seal } from '../sensors/key-ledger.js';
import {
  GRACE_MS,
  HEARTBEAT_TIMEOUT_MS,
  MAX_HISTORY_BYTES,
  MAX_HISTORY_EVENTS,
  MAX_STARTS_PER_RUN,
} from '../sensors/limits.js';
import {
  LOOP_MARK,
  PROTOCOL,
  SENSOR_MEMO,
  SIGNALS,
  UPDATES,
  type EvaluationInput,
  type Health,
  type LoopInput,
  type LoopState,
  type SensorState,
  type TickRecord,
} from '../sensors/protocol.js';
import { inNewTrace } from '../sensors/trace.js';
import { createEdits } from './edits.js';
import { createLauncher } from './launch.js';
import { parseConfigure, parseKeyPage } from './parse.js';
import { registerMessages } from './messages.js';
import { applyMessage, endEvaluation, type ActivityEnd } from './apply.js';
import * as rules from './rules.js';
import { createTickMetrics } from './tick-metrics.js';
import { versioning } from './versioning.js';
import { detailsOf, waitsFor } from './sensor-details.js';
import { isTold, memoOf, stateView } from './views.js';

/** Waiters are turned away beyond this history length, so that a stream of them cannot keep a run from ending. */
const BUSY_HISTORY_EVENTS = 4 * MAX_HISTORY_EVENTS;
/** Pages to let go of that are collected while a launch goes on. */
const MAX_RELEASED = 100;
const MANY_KEYS = 10_000_000;
/** For what the sensor can do without. */
const FEW_ATTEMPTS = {
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '2 minutes',
  retry: { initialInterval: '1 second', maximumAttempts: 5 },
} as const;
/** What a waiter for a tick is given beyond the evaluation's own time. */
const WAITER_GRACE_MS = 60_000;

/** An evaluation in progress. */
interface Current extends rules.Running {
  readonly scope: CancellationScope;
}

/** Someone who waits for a tick whose evaluation begins after he asked. */
interface Waiter {
  readonly after: number;
  record?: TickRecord;
}

/** The workflow of a sensor. Started by the worker plugin, never by hand. */
export async function sensorLoop(loopInput: LoopInput): Promise<void> {
  const { sensor, protocol } = loopInput;
  let state: LoopState = loopInput.state ?? rules.newState(loopInput.options, workflowInfo().startTime.getTime());
  let current: Current | undefined;
  let evaluations = 0;
  /** Grows with each message, so that waits can tell that something changed. */
  let messages = 0;
  let newerProtocol = false;
  /** This run of the loop has done nothing yet. */
  let fresh = true;
  /** The sensor may be idle for long: continue as new before the next evaluation. */
  let resting = false;
  /** This run of the loop is about to continue as new: nobody may wait for a tick in it any more. */
  let ending = false;
  const metrics = createTickMetrics(sensor, loopInput.measured ?? state.counters);
  const waiters = new Set<Waiter>();
  const hooks = new Set<Promise<void>>();
  const previews = new Set<CancellationScope>();
  let memo = workflowInfo().memo?.[SENSOR_MEMO];
  /** What the current details are of. */
  let shown: LoopState | undefined;

  const { callHealthHook } = proxyActivities<Pick<SensorActivities, 'callHealthHook'>>({
    ...FEW_ATTEMPTS,
    summary: `health hook of ${sensor}`,
  });
  const { releasePages } = proxyActivities<Pick<SensorActivities, 'releasePages'>>({
    ...FEW_ATTEMPTS,
    summary: `terminate old pages of ${sensor}`,
  });
  // without a limit: keys that cannot be sealed must neither be forgotten nor let the state grow
  const { sealKeys } = proxyActivities<Pick<SensorActivities, 'sealKeys'>>({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: '20 seconds',
    summary: `seal the run keys of ${sensor}`,
    retry: { initialInterval: '1 second', maximumInterval: '10 seconds' },
  });
  const launcher = createLauncher(sensor, {
    protocol,
    get: () => state,
    set: (next) => (state = next),
    held: () => rules.isHeld(state),
    full: historyFull,
  });

  // -------------------------------------------------------------------------------------------- messages

  /** Lets the loop look at the state again: an evaluation that waits ends, one that runs asks whether to go on. */
  function wake(): void {
    messages++;
    if (current === undefined || current.scope.consideredCancelled) return;
    // one that no attempt works on (no worker has the sensor) gives way to continue-as-new: messages would fill the history
    if (rules.givesWay(state, current) || shouldContinueAsNew()) current.scope.cancel();
  }

  function abortReason(evaluation: number): 'stop' | 'cursor' | null {
    return current?.evaluated.input.evaluation === evaluation ? rules.abortReason(state, current) : null;
  }

  /** Signals, and the updates of the same effect. */
  function take(kind: 'signal' | 'update', name: string, args: readonly unknown[]): void {
    state = applyMessage(state, { kind, name, args, protocol }, Date.now());
    if (name === SIGNALS.configure) newerProtocol ||= parseConfigure(args[0]).protocol > protocol;
    // a flood of events need not write the details anew for each
    if (name !== SIGNALS.push) published();
    wake();
  }

  function view(): SensorState {
    return stateView(sensor, state, current !== undefined);
  }

  async function tickAndWait(input: unknown): Promise<TickRecord> {
    const waiter: Waiter = { after: evaluations };
    waiters.add(waiter);
    take('update', UPDATES.tick, [input]);
    const holding = (): boolean => rules.refusesTick(state);
    try {
      await condition(
        () => waiter.record !== undefined || ending || holding(),
        state.options.timeoutMs + GRACE_MS + WAITER_GRACE_MS,
        { summary: 'somebody waits for a tick' }
      );
    } finally {
      waiters.delete(waiter);
    }
    if (waiter.record !== undefined) return waiter.record;
    if (holding())
      throw rejected(`sensor '${sensor}' is stopped and holds back pending requests; start it, so that they run first`);
    throw rejected(
      ending
        ? `sensor '${sensor}' continues as new at this moment; it evaluates right after, and its ticks will show it`
        : `no tick of sensor '${sensor}' ended in time; is a worker with this sensor running? It will still be evaluated`
    );
  }

  /** Previews may take as long as an evaluation: they do not keep the loop from continuing as new for ever. */
  async function whileOpen<T>(act: () => Promise<T>): Promise<T> {
    const again = (): ApplicationFailure => rejected(`sensor '${sensor}' continues as new at this moment; ask again`);
    if (ending) throw again();
    const scope = new CancellationScope();
    previews.add(scope);
    try {
      return await scope.run(act);
    } catch (error) {
      throw ending ? again() : error;
    } finally {
      previews.delete(scope);
    }
  }

  async function recorded(tick: number): Promise<TickRecord> {
    const ended = (): TickRecord | undefined => state.ring.find((record) => record.tick === tick);
    const patienceMs = state.options.timeoutMs + GRACE_MS + WAITER_GRACE_MS;
    await condition(() => ended() !== undefined || ending, patienceMs, { summary: `somebody waits for tick ${tick}` });
    const record = ended() ?? state.launch?.record;
    if (record !== undefined) return record;
    throw rejected(`tick ${tick} of sensor '${sensor}' is committed and has not ended yet; its ticks will show it`);
  }

  const edits = createEdits(
    sensor,
    {
      get: () => state,
      edit: (next) => {
        const { health } = state;
        state = next;
        if (state.health.status !== health.status) healthChanged(health);
        published();
        wake();
      },
      view,
      recorded,
      whileOpen,
    },
    launcher
  );
  registerMessages({
    ...edits,
    take,
    tick: tickAndWait,
    state: view,
    ticks: () => state.ring,
    abort: abortReason,
    keys: () => ledgerKeys(state.ledger),
  });

  // -------------------------------------------------------------------------------------------- evaluation

  /** One evaluation, from the schedule to the commit. */
  async function evaluate(delayMs: number): Promise<void> {
    const begin = { sensor, evaluation: ++evaluations, delayMs, rest: !fresh };
    const { evaluated, ...begun } = rules.beginEvaluation(state, begin, Date.now());
    state = begun.state;
    const scope = new CancellationScope();
    const { cursorEdits } = state;
    current = { evaluated, scope, cursorEdits };
    let end: ActivityEnd;
    try {
      end = { value: await scope.run(() => evaluationActivity(evaluated.input).evaluateSensor(evaluated.input)) };
    } catch (error) {
      // cancelled in Temporal Web: the loop itself ends
      if (CancellationScope.current().consideredCancelled) throw error;
      end = { error };
    } finally {
      current = undefined;
      fresh = false;
    }
    const { health } = state;
    const after = endEvaluation(
      state,
      { evaluated, cursorEdits, cancelled: scope.consideredCancelled },
      end,
      Date.now()
    );
    state = after.state;
    if (after.kind === 'interrupted') return;
    // the first tick after a start never folds; after it an idle sensor needs only a fresh history
    resting = after.kind === 'rested' || evaluated.trigger === 'start';
    if (after.kind === 'rested') return;
    if (state.health.status !== health.status) healthChanged(health);
    if (state.launch?.record === undefined) tickEnded();
  }

  function evaluationActivity(input: EvaluationInput): Pick<SensorActivities, 'evaluateSensor'> {
    return proxyActivities<Pick<SensorActivities, 'evaluateSensor'>>({
      startToCloseTimeout: input.timeoutMs + GRACE_MS,
      heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
      // with TRY_CANCEL the loop would ignore results that are already in history
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      summary: `evaluate ${sensor}`,
      retry: {
        // 1 s, not the interval: this is how soon another worker takes over after a crash
        initialInterval: 1000,
        backoffCoefficient: 1,
        // the server would retry it by itself for ever, overlapping, and the loop would never hear of it
        nonRetryableErrorTypes: ['TemporalTimeout:StartToClose'],
      },
    });
  }

  function healthChanged(before: Health): void {
    published();
    const hooked = rules.healthHook(state, before);
    if (hooked === undefined) return;
    const call = callHealthHook({ sensor, ...hooked })
      .catch((error: unknown) => log.warn(`${hooked.hook} of sensor '${sensor}' failed`, { error }))
      .finally(() => hooks.delete(call));
    hooks.add(call);
  }

  /** Tells waiters and Temporal Web that a tick has ended (or, mid-launch, that this run of the loop ends). */
  function tickEnded(record: TickRecord | undefined = state.ring.at(-1)): void {
    if (record !== undefined) {
      // unless the tick that was asked for is still to come (this one only stored the first cursor)
      if (state.wake !== 'tick') for (const waiter of waiters) if (waiter.after < evaluations) waiter.record ??= record;
      log.info(`tick ${record.tick} of ${sensor}: ${record.status}: ${describeTick(record)}`, {
        sensor,
        tick: record.tick,
      });
    }
    published();
  }

  /** Memo and current details follow the state. */
  function published(): void {
    if (state !== shown) setCurrentDetails(detailsOf(sensor, state));
    shown = state;
    const next = memoOf(state, protocol);
    if (isTold(memo, next)) return;
    memo = next;
    upsertMemo({ [SENSOR_MEMO]: next });
  }

  // -------------------------------------------------------------------------------------------- the loop

  function historyFull(): boolean {
    const info = workflowInfo();
    return (
      info.continueAsNewSuggested || info.historyLength > MAX_HISTORY_EVENTS || info.historySize > MAX_HISTORY_BYTES
    );
  }

  function shouldContinueAsNew(): boolean {
    return newerProtocol || resting || historyFull() || launcher.starts() >= MAX_STARTS_PER_RUN;
  }

  /** Keeps the state small: keys past their time go, older ones to pages, and pages that nobody needs are released. */
  async function tidy(): Promise<void> {
    state = rules.expire(state, Date.now());
    for (let seal = plannedSeal(); seal !== undefined; seal = plannedSeal()) {
      const sealing = await sealed(seal);
      // somebody completed the activity by hand: once more
      if (sealing.page === undefined) continue;
      const { page } = sealing;
      state = rules.seal(state, sealing.seal, page);
      warnOfManyKeys(page.keys);
    }
    const launching = state.launch?.record !== undefined;
    if (state.released.length === 0 || (launching && state.released.length < MAX_RELEASED)) return;
    const ids = state.released;
    try {
      await releasePages({ ids });
    } catch (error) {
      log.warn(
        `sensor '${sensor}' could not terminate ${ids.length} pages that are no longer needed: ${ids.join(', ')}`,
        {
          error,
        }
      );
    }
    state = rules.afterRelease(state, ids);
  }

  /** Writes a page of run keys; a page that should be merged into it and is gone stays where it was. */
  async function sealed(seal: Seal): Promise<{ readonly seal: Seal; readonly page: KeyPage | undefined }> {
    try {
      return { seal, page: parseKeyPage(await sealKeys({ sensor, seal })) };
    } catch (error) {
      const cause = error instanceof ActivityFailure ? error.cause : undefined;
      if (!(cause instanceof ApplicationFailure) || cause.type !== FAILURE_TYPES.pageMissing) throw error;
      log.warn(`sensor '${sensor}' cannot merge its pages of run keys: ${cause.message}`);
      const alone = { ...seal, merge: [] };
      return { seal: alone, page: parseKeyPage(await sealKeys({ sensor, seal: alone })) };
    }
  }

  function plannedSeal(): Seal | undefined {
    return planSeal(state.ledger, state.options.dedupeMs);
  }

  function warnOfManyKeys(added: number): void {
    const keys = keyCount(state.ledger);
    if (keys < MANY_KEYS || keys - added >= MANY_KEYS) return;
    log.warn(`sensor '${sensor}' remembers ${keys} run keys; give it a 'dedupe' time if old keys never come again`);
  }

  /** Ends this run with everything in the next one's input. Waiters for a tick are served first, within reason. */
  async function continueAsNew(): Promise<never> {
    ending = true;
    for (const preview of previews) preview.cancel();
    await condition(() => allHandlersFinished() && hooks.size === 0);
    const { memo: started } = workflowInfo();
    const next = makeContinueAsNewFunc<typeof sensorLoop>({ memo: { ...started, [SENSOR_MEMO]: memoOf(state) } });
    const input: LoopInput = {
      sensor,
      protocol: PROTOCOL,
      options: state.options,
      state,
      measured: metrics.measured(),
    };
    // else all of a sensor's life would be one trace
    await inNewTrace(() => next(input));
    throw new Error('unreachable: continue-as-new does not return');
  }

  metrics.measure(state);
  for (;;) {
    state = rules.resumeWhenDue(state, Date.now());
    published();
    if (rules.mayLaunch(state, Date.now())) {
      // who waits for a tick gets this one
      if (state.launch?.record === undefined) evaluations++;
      state = rules.resumeLaunch(state, Date.now());
      await launcher.run();
      if (CancellationScope.current().consideredCancelled)
        throw new CancelledFailure('the sensor was cancelled while it started runs');
      if (state.launch?.record === undefined) tickEnded();
    }
    await tidy();
    const served =
      (waiters.size === 0 && hooks.size === 0 && previews.size === 0) ||
      workflowInfo().historyLength > BUSY_HISTORY_EVENTS;
    if (shouldContinueAsNew() && (served || state.launch?.record !== undefined)) {
      if (state.launch?.record !== undefined) tickEnded(state.launch.record);
      await continueAsNew();
    }
    // a start may have come while the launch ended: what was held back goes first
    if (rules.mayLaunch(state, Date.now())) continue;
    metrics.measure(state);
    const step = rules.nextStep(state, Date.now());
    if (step.kind === 'evaluate') await evaluate(step.delayMs);
    else {
      const seen = messages;
      const changed = (): boolean => messages !== seen;
      await (step.ms === undefined ? condition(changed) : condition(changed, step.ms, { summary: waitsFor(state) }));
    }
  }
}
setWorkflowOptions(versioning, sensorLoop);
Object.defineProperty(sensorLoop, LOOP_MARK, { value: true });
