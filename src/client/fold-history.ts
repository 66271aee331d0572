/**
 * The state of a closed loop, from its history alone: the input it started with, and then every evaluation, start and
 * message in order, through the same pure rules as the loop itself.
 *
 * It needs no worker, and works where a query cannot: when the last workflow task was failing, when the code is gone or
 * no longer fits, or when the loop was closed before its first task. What cannot be decoded is left out and said.
 */
import type { Client } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { Seal } from '../sensors/key-ledger.js';
import {
  RUN_MEMO,
  UPDATES,
  type AuditEntry,
  type EvaluationInput,
  type LoopInput,
  type LoopState,
  type RequestPage,
  type RerunResult,
  type RetryResult,
  type RunMemo,
  type SensorState,
  type TickRecord,
} from '../sensors/protocol.js';
import {
  applyCursorEdit,
  applyMessage,
  applyPreview,
  applyRerun,
  applyRetry,
  endEvaluation,
  type ActivityEnd,
  type InProgress,
} from '../workflows/apply.js';
import {
  parseCursorEdit,
  parseDeadLetterEdit,
  parseKeyEdit,
  parseKeyPage,
  parseRefusals,
  parseRequestPages,
  parseRequests,
  parseWaitingAssets,
} from '../workflows/parse.js';
import * as rules from '../workflows/rules.js';

export type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
type Event = NonNullable<History['events']>[number];
type Update = NonNullable<NonNullable<Event['workflowExecutionUpdateAcceptedEventAttributes']>['acceptedRequest']>;
type Initiated = NonNullable<Event['startChildWorkflowExecutionInitiatedEventAttributes']>;
type Payloads = Parameters<typeof decodeArrayFromPayloads>[1];

/** Updates that look outside before they change anything. */
const EDITS: ReadonlySet<string> = new Set([
  UPDATES.setCursor,
  UPDATES.rerun,
  UPDATES.rearm,
  UPDATES.retryDeadLetters,
  UPDATES.discardPending,
]);

/** An activity beside the evaluation. */
interface Helper {
  readonly name: string;
  readonly args: unknown;
}

/** An evaluation that was scheduled. */
interface Open extends InProgress {
  readonly id: string;
}

/** An evaluation that ended, and has still to take effect. */
interface Ended {
  readonly open: Open;
  readonly end: ActivityEnd;
  readonly at: number;
  /** A workflow task has completed since: what comes next belongs to a later one. */
  readonly taskDone: boolean;
}

/**
 * @throws when the history does not begin with the loop's own input
 */
export async function foldHistory(client: Client, { events }: History): Promise<LoopState> {
  const fold = new HistoryFold(client);
  for (const event of events ?? []) await fold.take(event);
  return fold.end();
}

/** What a run of the loop left behind. */
export interface FoldedRun {
  readonly state: LoopState;
  /**
   * By number: those it was started with, each one that it recorded, and one that it has not ended. Unlike in the state,
   * none has lost its log lines for want of room since.
   */
  readonly ticks: ReadonlyMap<number, TickRecord>;
  /** As in the state, but at the times when a worker took what was asked for, and without what none has taken yet. */
  readonly audit: readonly AuditEntry[];
}

/** Oldest first. */
export function ticksOf({ ticks }: FoldedRun): readonly TickRecord[] {
  return [...ticks.values()].sort((a, b) => a.tick - b.tick);
}

/**
 * @throws when the history does not begin with the loop's own input
 */
export async function foldRun(client: Client, { events }: History): Promise<FoldedRun> {
  const fold = new HistoryFold(client);
  const ticks = new Map<number, TickRecord>();
  const add = ({ ring }: LoopState): void => {
    for (const tick of ring) if (!ticks.has(tick.tick)) ticks.set(tick.tick, tick);
  };
  for (const event of events ?? []) {
    await fold.take(event);
    if (fold.current !== undefined) add(fold.current);
  }
  const state = fold.settledEnd();
  add(state);
  const { record } = state.launch ?? {};
  if (record !== undefined) ticks.set(record.tick, record);
  return { state, ticks, audit: fold.takenAudit(state) };
}

class HistoryFold {
  private state: LoopState | undefined;
  private open: Open | undefined;
  private ended: Ended | undefined;
  /** Activities of this run that change the state when they complete, and what they were given. */
  private readonly helpers = new Map<string, Helper>();
  /** Workflow IDs that were refused and belong to somebody else. */
  private readonly foreign = new Map<string, string>();
  private readonly requests = new Map<string, Update>();
  /** Entries of the audit whose signals no workflow task has taken yet. */
  private untaken: readonly AuditEntry[] = [];
  /** When the other ones of signals were taken. */
  private readonly takenAt = new Map<AuditEntry, number>();
  /** Workflow IDs of runs whose start has not been answered. */
  private readonly inFlight = new Set<string>();
  /** When the last start was answered, or what had to be started was decided. */
  private settledAt = 0;
  private now = 0;
  /** When the workflow task began whose commands come next: what the loop has for the time. */
  private taskBegan = 0;
  /** When the loop began to tidy up, where that takes it more than one workflow task. */
  private tidying: number | undefined;
  /** Pages that the loop has let go of. */
  private readonly released = new Set<string>();

  constructor(private readonly client: Client) {}

  /** The state as a new run of the loop can take it over; it ends a launch that was cut off by itself. */
  end(): LoopState {
    if (this.state === undefined) throw new Error(`the start of the loop's history cannot be decoded`);
    const flushed = this.flushed(this.state);
    const { launch } = flushed;
    const state =
      launch === undefined
        ? flushed
        : { ...flushed, launch: { ...launch, remaining: launch.remaining.map(rules.withoutSearch) } };
    // what an evaluation was asked for that the close cut off has still to happen
    return this.open === undefined ? state : rules.interrupted(state, this.open.evaluated, false, this.now);
  }

  get current(): LoopState | undefined {
    return this.state;
  }

  takenAudit({ audit }: LoopState): readonly AuditEntry[] {
    return audit
      .filter((entry) => !this.untaken.includes(entry))
      .map((entry) => ({ ...entry, at: this.takenAt.get(entry) ?? entry.at }));
  }

  /** The state, with a launch ended that started all it had to. */
  settledEnd(): LoopState {
    const state = this.end();
    const { launch } = state;
    const open = launch !== undefined && (launch.assetEvents !== undefined || rules.waitingRequests(launch) > 0);
    return open ? state : this.settled(state);
  }

  async take(event: Event): Promise<void> {
    this.now = tsToMs(event.eventTime);
    const started = event.workflowExecutionStartedEventAttributes;
    if (started != null) {
      const input = (await this.decode(started.input?.payloads))?.[0] as LoopInput | undefined;
      if (input != null) this.state = input.state ?? rules.newState(input.options, this.now);
      this.settledAt = this.now;
    }
    if (this.state === undefined) return;
    this.state = await this.next(rules.resumeWhenDue(this.state, this.now), event);
  }

  private async next(state: LoopState, event: Event): Promise<LoopState> {
    if (event.workflowTaskStartedEventAttributes != null) this.taskBegan = this.now;
    if (event.workflowTaskCompletedEventAttributes != null) this.taskCompleted();
    if (event.workflowTaskScheduledEventAttributes != null && this.ended?.taskDone === true) return this.flushed(state);
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name === 'evaluateSensor') {
      const input = (await this.decode(scheduled.input?.payloads))?.[0] as EvaluationInput | undefined;
      return input == null
        ? state
        : this.begin(
            this.tidied(this.settled(rules.dropAssetEvents(this.flushed(state)))),
            input,
            String(event.eventId)
          );
    }
    const { name } = scheduled?.activityType ?? {};
    if (name === 'sealKeys' || name === 'releasePages') this.tidying ??= this.taskBegan;
    if (scheduled != null) {
      await this.helperScheduled(event);
      return this.flushed(state);
    }
    const initiated = event.startChildWorkflowExecutionInitiatedEventAttributes;
    if (initiated != null) return await this.childInitiated(this.flushed(state), initiated);
    const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
    if (child != null) return this.childSettled(this.flushed(state), child, 'started');
    const refused = event.startChildWorkflowExecutionFailedEventAttributes?.workflowId;
    if (refused != null) return this.childSettled(this.flushed(state), refused, 'refused');
    return await this.message(await this.activity(state, event), event);
  }

  private taskCompleted(): void {
    if (this.ended !== undefined) this.ended = { ...this.ended, taskDone: true };
    for (const entry of this.untaken) this.takenAt.set(entry, this.taskBegan);
    this.untaken = [];
  }

  /** The loop forgets keys before each evaluation; a key that it still knows is never forgotten here. */
  private tidied(state: LoopState): LoopState {
    const tidy = rules.afterRelease(rules.expire(state, this.tidying ?? this.taskBegan), [...this.released]);
    this.tidying = undefined;
    return tidy;
  }

  private begin(state: LoopState, input: EvaluationInput, id: string): LoopState {
    const begun = rules.beginEvaluation(state, input, this.now);
    this.open = { id, evaluated: { ...begun.evaluated, input }, cursorEdits: state.cursorEdits, cancelled: false };
    return begun.state;
  }

  /** Notes how activities end. In one workflow task the loop takes messages first, so an end waits for them. */
  private async activity(state: LoopState, event: Event): Promise<LoopState> {
    const cancel = event.activityTaskCancelRequestedEventAttributes;
    if (cancel != null && this.open?.id === String(cancel.scheduledEventId))
      this.open = { ...this.open, cancelled: true };
    const completed = event.activityTaskCompletedEventAttributes;
    const ended =
      completed ??
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.activityTaskCanceledEventAttributes;
    if (ended == null) return state;
    const id = String(ended.scheduledEventId);
    if (this.open?.id === id) {
      this.ended = { open: this.open, end: await this.activityEnd(event), at: this.now, taskDone: false };
      this.open = undefined;
      return state;
    }
    const helper = this.helpers.get(id);
    if (helper === undefined || completed == null) return state;
    return this.helperCompleted(state, helper, (await this.decode(completed.result?.payloads))?.[0]);
  }

  private async helperScheduled(event: Event): Promise<void> {
    const { activityType, input } = event.activityTaskScheduledEventAttributes ?? {};
    this.helpers.set(String(event.eventId), {
      name: activityType?.name ?? '',
      args: (await this.decode(input?.payloads))?.[0],
    });
  }

  private helperCompleted(state: LoopState, { name, args }: Helper, result: unknown): LoopState {
    const given = args as {
      id: string;
      ids: readonly string[];
      pages: readonly RequestPage[];
      seal: Seal;
    };
    switch (name) {
      case 'findOwners':
        for (const [id, owner] of Object.entries((result ?? {}) as Record<string, string>)) this.foreign.set(id, owner);
        return this.limited(state);
      case 'readRequests':
        return rules.loadPage(state, given.id, parseRequests(result));
      case 'keepRequests':
        return rules.keepPages(state, given.pages, parseRequestPages(result));
      case 'sealKeys': {
        const page = parseKeyPage(result);
        if (page === undefined) return state;
        this.released.delete(page.id);
        return rules.seal(state, given.seal, page);
      }
      case 'readPreview': {
        // the fold ends a launch late
        const { launch } = state;
        const ended =
          launch !== undefined &&
          launch.partitions === undefined &&
          launch.assetEvents === undefined &&
          rules.waitingRequests(launch) === 0
            ? this.settled(state)
            : state;
        const applied = applyPreview(ended, result, {}, this.now);
        return typeof applied === 'string' ? state : applied;
      }
      case 'changePartitions':
        return rules.endPartitions(state, parseRefusals(result), this.now);
      case 'recordTickEvents':
        return rules.applyRecorded(state, parseWaitingAssets(result), this.now);
      case 'releasePages':
        for (const id of given.ids) this.released.add(id);
        return rules.afterRelease(state, given.ids);
      default:
        return state;
    }
  }

  private async activityEnd(event: Event): Promise<ActivityEnd> {
    const completed = event.activityTaskCompletedEventAttributes;
    if (completed != null) return { value: (await this.decode(completed.result?.payloads))?.[0] };
    const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    if (failed?.failure == null) return { error: new CancelledFailure('cancelled') };
    const { loadedDataConverter } = this.client.options;
    const error = await decodeOptionalFailureToOptionalError(loadedDataConverter, failed.failure).catch(
      () => undefined
    );
    return { error: error ?? 'its failure could not be decoded' };
  }

  /** The state after the evaluation that ended. */
  private flushed(state: LoopState): LoopState {
    if (this.ended === undefined) return state;
    const { open, end, at } = this.ended;
    this.ended = undefined;
    this.settledAt = at;
    return endEvaluation(state, open, end, at).state;
  }

  /** A run says which tick starts it: what an earlier one left over is pending since that ended. */
  private async childInitiated(state: LoopState, { workflowId, memo }: Initiated): Promise<LoopState> {
    const id = workflowId ?? '';
    this.inFlight.add(id);
    if (state.launch?.remaining.some((request) => request.id === id) !== true) return state;
    const told = memo?.fields?.[RUN_MEMO];
    const [facts] = (told == null ? undefined : await this.decode([told])) ?? [];
    const { tick } = (facts ?? {}) as Partial<RunMemo>;
    const { record } = state.launch;
    const isLater = record !== undefined && tick !== undefined && tick > record.tick;
    return rules.resumeLaunch(isLater ? this.settled(state, this.settledAt) : state, this.taskBegan);
  }

  private childSettled(state: LoopState, id: string, outcome: 'started' | 'refused'): LoopState {
    this.inFlight.delete(id);
    this.settledAt = this.now;
    const next = this.withChild(state, id, outcome);
    // whose the refused ones are is looked up first
    return next.launch?.refused.length === 0 ? this.limited(next) : next;
  }

  /** A tick that has started as many runs as it may ends then, whenever the next one comes. */
  private limited(state: LoopState): LoopState {
    const { launch } = state;
    const isOver = launch?.record !== undefined && this.inFlight.size === 0 && rules.isLimited(state);
    return isOver ? this.settled(state) : state;
  }

  private withChild(state: LoopState, id: string, outcome: 'started' | 'refused'): LoopState {
    const resumed = rules.resumeLaunch(state, this.now);
    const request = resumed.launch?.remaining.find((each) => each.id === id);
    if (request === undefined || resumed.launch === undefined) return state;
    const remaining = resumed.launch.remaining.filter((each) => each !== request);
    return rules.settle({ ...resumed, launch: { ...resumed.launch, remaining } }, request, outcome, this.now);
  }

  /** An evaluation begins only after the launch before it has ended; a stop may have held back some of it. */
  private settled(state: LoopState, now = this.now): LoopState {
    if (state.launch?.record === undefined) return state;
    return rules.endLaunch(rules.endBatch(state, this.foreign, now), now);
  }

  private async message(state: LoopState, event: Event): Promise<LoopState> {
    const signaled = event.workflowExecutionSignaledEventAttributes;
    if (signaled != null) {
      const name = signaled.signalName ?? '';
      const args = await this.decode(signaled.input?.payloads);
      const next =
        args === undefined
          ? rules.audit(state, `signal '${name}' left out: its input cannot be decoded`, {}, this.now)
          : applyMessage(state, { kind: 'signal', name, args }, this.now);
      this.untaken = [...this.untaken, ...next.audit.filter((entry) => !state.audit.includes(entry))];
      return next;
    }
    const admitted = event.workflowExecutionUpdateAdmittedEventAttributes?.request;
    if (admitted != null) this.requests.set(admitted.meta?.updateId ?? '', admitted);
    const accepted = event.workflowExecutionUpdateAcceptedEventAttributes;
    if (accepted != null) {
      const id = accepted.protocolInstanceId ?? '';
      const request = accepted.acceptedRequest ?? this.requests.get(id);
      if (request != null) this.requests.set(id, request);
      const name = request?.input?.name ?? '';
      const args = (await this.decode(request?.input?.args?.payloads)) ?? [];
      // edits take effect only when they have been checked
      return EDITS.has(name) ? state : applyMessage(state, { kind: 'update', name, args }, this.now);
    }
    const updated = event.workflowExecutionUpdateCompletedEventAttributes;
    const request = this.requests.get(updated?.meta?.updateId ?? '');
    if (updated?.outcome?.success == null || request?.input == null) return state;
    const given = (await this.decode(request.input.args?.payloads))?.[0];
    const result = (await this.decode(updated.outcome.success.payloads))?.[0];
    return result === undefined ? state : this.edited(state, request.input.name ?? '', given, result);
  }

  private edited(state: LoopState, name: string, given: unknown, result: unknown): LoopState {
    const key = parseKeyEdit(given);
    if (name === UPDATES.rerun && key !== undefined) return applyRerun(state, key, result as RerunResult, this.now);
    if (name === UPDATES.rearm && key !== undefined) {
      const { rearmed, audit } = result as SensorState;
      return { ...state, rearmed, audit };
    }
    if (name === UPDATES.discardPending) {
      // the fold ends a launch late: whether it was pending then, the answer says
      const what = (result as SensorState).audit.at(-1)?.what;
      const pending = what === 'discard 0 pending requests' ? state : this.settled(state);
      return applyMessage(pending, { kind: 'update', name, args: [given] }, this.now);
    }
    if (name === UPDATES.retryDeadLetters)
      return applyRetry(state, parseDeadLetterEdit(given), result as RetryResult, this.now);
    if (name !== UPDATES.setCursor) return state;
    const edit = parseCursorEdit(given);
    if (edit === undefined || 'clear' in edit)
      return edit === undefined ? state : applyCursorEdit(state, edit, this.now);
    // as it was stored: checked, defaults filled
    const after = result as SensorState | undefined;
    return applyCursorEdit(state, { ...edit, cursor: after?.cursor?.value ?? edit.cursor }, this.now);
  }

  /** `undefined` when the payloads cannot be decoded: a foreign encoding, or a codec that is missing here. */
  private async decode(payloads: Payloads): Promise<readonly unknown[] | undefined> {
    return await decodeArrayFromPayloads(this.client.options.loadedDataConverter, payloads ?? []).catch(
      () => undefined
    );
  }
}
