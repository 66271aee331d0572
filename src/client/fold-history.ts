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
import { UPDATES, type EvaluationInput, type LoopInput, type LoopState } from '../sensors/protocol.js';
import { applyCursorEdit, applyMessage, endEvaluation, type ActivityEnd, type InProgress } from '../workflows/apply.js';
import { parseCursorEdit } from '../workflows/parse.js';
import * as rules from '../workflows/state.js';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
type Event = NonNullable<History['events']>[number];
type Payloads = Parameters<typeof decodeArrayFromPayloads>[1];

/** An evaluation that was scheduled and has not ended. */
interface Open extends InProgress {
  readonly id: string;
}

/**
 * @throws when the history does not begin with the loop's own input
 */
export async function foldHistory(client: Client, { events }: History): Promise<LoopState> {
  const fold = new HistoryFold(client);
  for (const event of events ?? []) await fold.take(event);
  return fold.end();
}

class HistoryFold {
  private state: LoopState | undefined;
  private open: Open | undefined;
  private readonly edits = new Map<string, unknown>();
  private now = 0;

  constructor(private readonly client: Client) {}

  /** The state as a new run of the loop can take it over. */
  end(): LoopState {
    if (this.state === undefined) throw new Error('the history has no start of a loop that can be decoded');
    // what an evaluation was asked for that the close cut off has still to happen
    const state =
      this.open === undefined ? this.state : rules.interrupted(this.state, this.open.evaluated, false, this.now);
    const { launch } = state;
    const launched = launch?.record !== undefined && launch.remaining.length === 0;
    return launched ? rules.endLaunch(state, [], new Map(), this.now) : state;
  }

  async take(event: Event): Promise<void> {
    this.now = tsToMs(event.eventTime);
    const started = event.workflowExecutionStartedEventAttributes;
    if (started != null) {
      const [input] = (await this.decode(started.input?.payloads)) ?? [];
      const { options, state } = input as LoopInput;
      this.state = state ?? rules.newState(options, this.now);
    }
    if (this.state === undefined) return;
    this.state = await this.next(this.state, event);
  }

  private async next(state: LoopState, event: Event): Promise<LoopState> {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name === 'evaluateSensor') {
      const [input] = (await this.decode(scheduled.input?.payloads)) ?? [];
      if (input === undefined) return state;
      const begun = rules.beginEvaluation(this.settled(state), input as EvaluationInput, this.now);
      const evaluated = { ...begun.evaluated, input: input as EvaluationInput };
      this.open = { id: String(event.eventId), evaluated, cursorEdits: state.cursorEdits, cancelled: false };
      return begun.state;
    }
    const cancel = event.activityTaskCancelRequestedEventAttributes;
    if (cancel != null && this.open?.id === String(cancel.scheduledEventId))
      this.open = { ...this.open, cancelled: true };
    const end =
      event.activityTaskCompletedEventAttributes ??
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.activityTaskCanceledEventAttributes;
    if (end != null && this.open?.id === String(end.scheduledEventId))
      return await this.evaluationEnded(state, event, this.open);
    const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
    if (child != null) return this.childSettled(state, child, 'started');
    const refused = event.startChildWorkflowExecutionFailedEventAttributes?.workflowId;
    if (refused != null) return this.childSettled(state, refused, 'refused');
    return await this.message(state, event);
  }

  private async evaluationEnded(state: LoopState, event: Event, open: Open): Promise<LoopState> {
    this.open = undefined;
    return endEvaluation(state, open, await this.activityEnd(event), this.now).state;
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

  private childSettled(state: LoopState, id: string, outcome: 'started' | 'refused'): LoopState {
    const resumed = rules.resumeLaunch(state, this.now);
    const request = resumed.launch?.remaining.find((each) => each.id === id);
    if (request === undefined || resumed.launch === undefined) return state;
    const remaining = resumed.launch.remaining.filter((each) => each !== request);
    return rules.settle({ ...resumed, launch: { ...resumed.launch, remaining } }, request, outcome);
  }

  /** An evaluation begins only after the launch before it has ended; a stop may have held back some of it. */
  private settled(state: LoopState): LoopState {
    if (state.launch?.record === undefined) return state;
    return rules.endLaunch(state, state.launch.remaining, new Map(), this.now);
  }

  private async message(state: LoopState, event: Event): Promise<LoopState> {
    const signaled = event.workflowExecutionSignaledEventAttributes;
    if (signaled != null) {
      const args = await this.decode(signaled.input?.payloads);
      if (args !== undefined) return applyMessage(state, signaled.signalName ?? '', args, this.now);
      return rules.audit(state, `signal '${signaled.signalName}' left out: its input cannot be decoded`, {}, this.now);
    }
    const accepted = event.workflowExecutionUpdateAcceptedEventAttributes;
    if (accepted != null) {
      const { input } = accepted.acceptedRequest ?? {};
      const args = (await this.decode(input?.args?.payloads)) ?? [];
      if (input?.name !== UPDATES.setCursor) return applyMessage(state, input?.name ?? '', args, this.now);
      this.edits.set(accepted.protocolInstanceId ?? '', args[0]);
    }
    const updated = event.workflowExecutionUpdateCompletedEventAttributes;
    const edit = parseCursorEdit(this.edits.get(updated?.meta?.updateId ?? ''));
    return updated?.outcome?.success == null || edit === undefined ? state : applyCursorEdit(state, edit, this.now);
  }

  /** `undefined` when the payloads cannot be decoded: a foreign encoding, or a codec that is missing here. */
  private async decode(payloads: Payloads): Promise<readonly unknown[] | undefined> {
    return await decodeArrayFromPayloads(this.client.options.loadedDataConverter, payloads ?? []).catch(
      () => undefined
    );
  }
}
