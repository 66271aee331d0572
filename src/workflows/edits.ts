/**
 * What operators change that needs a look outside first: the cursor (the schema checks it), a key to run again, a dead
 * letter to try again. Each is an update whose handler ends before the loop continues as new.
 */
import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type { SensorActivities } from '../activities/index.js';
import { rejected } from '../sensors/failures.js';
import { cutText, jsonBytes, type Json } from '../sensors/json.js';
import { isKey, ledgerView, type LedgerView } from '../sensors/key-ledger.js';
import { GRACE_MS, HEARTBEAT_TIMEOUT_MS, MAX_CURSOR_BYTES, MAX_RETRIES_AT_ONCE } from '../sensors/limits.js';
import type {
  DeadLetter,
  KeyEdit,
  LoopState,
  Preview,
  RerunResult,
  RetryResult,
  SensorState,
  TickRecord,
} from '../sensors/protocol.js';
import { applyCursorEdit, applyPreview, applyRearm, applyRerun, applyRetry } from './apply.js';
import type { Launcher } from './launch.js';
import {
  isLaunchRequest,
  parseCursorEdit,
  parseDeadLetterEdit,
  parseFailed,
  parseKeyEdit,
  parseNote,
  parsePreviewEdit,
  parsePreviewId,
  parseRetries,
} from './parse.js';
import * as rules from './rules.js';

interface Holder {
  readonly get: () => LoopState;
  /** Takes over a state that an operator changed: the loop looks at it again. */
  readonly edit: (state: LoopState) => void;
  readonly view: () => SensorState;
  /** Waits for something that may take long; it ends when this run of the loop has to. */
  readonly whileOpen: <T>(act: () => Promise<T>) => Promise<T>;
  /** The record of a tick when it has ended, or as far as it is when this run of the loop ends. */
  readonly recorded: (tick: number) => Promise<TickRecord>;
}

export interface Edits {
  readonly setCursor: (input: unknown) => Promise<SensorState>;
  readonly rerun: (input: unknown) => Promise<RerunResult>;
  readonly rearm: (input: unknown) => Promise<SensorState>;
  readonly retryDeadLetters: (input: unknown) => Promise<RetryResult>;
  readonly preview: (input: unknown) => Promise<Preview>;
  readonly apply: (input: unknown) => Promise<TickRecord>;
}

type Checks = Pick<
  SensorActivities,
  'checkCursor' | 'findKey' | 'findOwners' | 'prepareRerun' | 'prepareRetries' | 'readPreview'
>;

/** No evaluation of the loop: nothing asks whether it should be aborted. */
const NO_EVALUATION = 0;
/** What a preview is given beyond the evaluation's own time. */
const PREVIEW_GRACE_MS = 30_000;

export function createEdits(sensor: string, holder: Holder, launcher: Launcher): Edits {
  const activities = proxyActivities<Checks>({
    startToCloseTimeout: '30 seconds',
    scheduleToCloseTimeout: '2 minutes',
    summary: `look up what an operator wants of ${sensor}`,
    retry: { initialInterval: '1 second', maximumAttempts: 5 },
  });

  async function checked<T>(act: () => Promise<T>, what: string): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const cause = error instanceof ActivityFailure ? error.cause : undefined;
      if (cause instanceof ApplicationFailure) throw rejected(cause.message);
      throw rejected(`${what}; is a worker with sensor '${sensor}' running?`);
    }
  }

  /** The same for activities that answer with an object: anybody can complete an activity with something else. */
  async function prepared<T extends object>(act: () => Promise<T>, what: string): Promise<T> {
    const answer: unknown = await checked(act, what);
    if (typeof answer === 'object' && answer !== null) return answer as T;
    throw rejected(`${what}: somebody completed the activity by hand`);
  }

  async function setCursor(input: unknown): Promise<SensorState> {
    const edit = parseCursorEdit(input);
    if (edit === undefined)
      throw rejected(`setCursor needs { "cursor": <JSON> } or { "clear": true }; optional: "by", "reason"`);
    if ('cursor' in edit) checkSize(edit.cursor);
    const fits = async ({ cursor }: { readonly cursor: Json }): Promise<Json> =>
      await checked(() => activities.checkCursor({ sensor, cursor }), 'the cursor could not be checked');
    const stored = 'clear' in edit ? edit : { ...edit, cursor: await fits(edit) };
    holder.edit(applyCursorEdit(holder.get(), stored, Date.now()));
    return holder.view();
  }

  function lookUp(
    edit: KeyEdit
  ): KeyEdit & { readonly sensor: string; readonly ledger: LedgerView; readonly pending: number } {
    const { launch, ledger } = holder.get();
    const pending = launch === undefined ? 0 : rules.waitingRequests(launch);
    return { ...edit, sensor, ledger: ledgerView(ledger), pending };
  }

  async function rerun(input: unknown): Promise<RerunResult> {
    const edit = namedKey('rerun', input);
    const { request, hash, epoch, rerunOf } = await prepared(
      () => activities.prepareRerun({ ...lookUp(edit), epochs: holder.get().epochs }),
      'the run could not be looked up'
    );
    if (!isLaunchRequest(request) || !isKey(hash)) throw rejected('the run could not be looked up');
    const { by, reason } = edit;
    const outcome = await launcher.start(request, {
      tick: holder.get().tick,
      rerunOf,
      ...(by === undefined ? {} : { by: cutText(by, 256) }),
      ...(reason === undefined ? {} : { reason: cutText(reason, 256) }),
    });
    if (outcome === 'refused')
      throw rejected(`workflow '${request.id}' was started meanwhile; nothing was started twice`);
    const result = { workflowId: request.id, hash, epoch };
    holder.edit(applyRerun(holder.get(), edit, result, Date.now()));
    return result;
  }

  async function rearm(input: unknown): Promise<SensorState> {
    const edit = namedKey('rearm', input);
    const { hash, problem } = await prepared(() => activities.findKey(lookUp(edit)), 'the key could not be looked up');
    if (problem !== undefined) checkPending(hash, problem);
    holder.edit(applyRearm(holder.get(), edit, hash, Date.now()));
    return holder.view();
  }

  /** A key that is pending starts by itself; re-armed, its request after that starts a run as well. */
  function checkPending(hash: string, problem: string): void {
    const { remaining = [], staged = [] } = holder.get().launch ?? {};
    if (remaining.some((request) => request.hash === hash)) return;
    const unread = rules.waitingRequests({ remaining: [], staged });
    throw rejected(
      unread === 0
        ? problem
        : `${problem}. If it is one of the last ${unread} pending requests, it can be re-armed when they start`
    );
  }

  async function retryDeadLetters(input: unknown): Promise<RetryResult> {
    const edit = parseDeadLetterEdit(input);
    const { ids } = edit;
    const letters = holder
      .get()
      .deadLetters.filter(({ id }) => ids === undefined || ids.includes(id))
      .slice(0, MAX_RETRIES_AT_ONCE);
    const requests = letters.filter(({ kind }) => kind !== 'event');
    const checks =
      requests.length === 0
        ? { requests: [], failed: [] }
        : await prepared(
            () => activities.prepareRetries({ sensor, letters: requests, rearmed: holder.get().rearmed }),
            'the dead letters could not be checked'
          );
    const result = await startRetries(parseRetries(checks.requests));
    // with what follows in one step: the inbox may have filled meanwhile
    const events = retryEvents(letters);
    const retried = {
      done: [...events.done, ...result.done],
      started: result.started,
      keys: result.keys,
      failed: [...events.failed, ...parseFailed(checks.failed), ...result.failed],
    };
    holder.edit(applyRetry(holder.get(), edit, retried, Date.now()));
    return retried;
  }

  /** Events go back to the inbox, as far as it has room. */
  function retryEvents(letters: readonly DeadLetter[]): Pick<RetryResult, 'done' | 'failed'> {
    const done: string[] = [];
    const failed: { id: string; error: string }[] = [];
    let trial = holder.get();
    for (const { id, kind, payload } of letters) {
      if (kind !== 'event') continue;
      const next = payload === undefined ? trial : rules.pushEvents(trial, [payload], Date.now());
      if (payload === undefined || next.inbox.length === trial.inbox.length)
        failed.push({ id, error: payload === undefined ? 'the event was not kept' : 'the inbox has no room for it' });
      else done.push(id);
      trial = next;
    }
    return { done, failed };
  }

  async function startRetries(
    requests: Awaited<ReturnType<Checks['prepareRetries']>>['requests']
  ): Promise<Omit<RetryResult, 'failed'> & { readonly failed: { readonly id: string; readonly error: string }[] }> {
    const { tick } = holder.get();
    const outcomes = await Promise.all(requests.map(({ request }) => launcher.start(request, { tick })));
    const refused = requests.filter((_, index) => outcomes[index] === 'refused');
    const foreign =
      refused.length === 0
        ? {}
        : await prepared(
            () => activities.findOwners({ sensor, ids: refused.map(({ request }) => request.id) }),
            'who owns the refused workflow IDs could not be looked up'
          );
    const failed = refused.flatMap(({ id, request }) =>
      Object.hasOwn(foreign, request.id)
        ? [{ id, error: `workflow ID '${cutText(request.id, 300)}' still belongs to somebody else` }]
        : []
    );
    const stays = new Set(failed.map(({ id }) => id));
    const ran = requests.filter(({ id }) => !stays.has(id));
    return {
      done: ran.map(({ id }) => id),
      started: requests.length - refused.length,
      keys: ran.flatMap(({ request: { hash, epoch } }) =>
        hash === undefined ? [] : [{ hash, ...(epoch === undefined ? {} : { epoch }) }]
      ),
      failed,
    };
  }

  async function preview(input: unknown): Promise<Preview> {
    const state = holder.get();
    const { timeoutMs } = state.options;
    const begin = { sensor, evaluation: NO_EVALUATION, delayMs: 0, rest: false };
    const { evaluated } = rules.beginEvaluation(state, begin, Date.now());
    const { previewSensor } = proxyActivities<Pick<SensorActivities, 'previewSensor'>>({
      startToCloseTimeout: timeoutMs + GRACE_MS,
      scheduleToCloseTimeout: timeoutMs + PREVIEW_GRACE_MS,
      heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
      summary: `preview ${sensor}`,
      retry: { initialInterval: '1 second', maximumAttempts: 3 },
    });
    const cursor = parsePreviewEdit(input);
    checkSize(cursor?.value);
    const given = {
      input: evaluated.input,
      cursorEdits: state.cursorEdits,
      ...(cursor === undefined ? {} : { cursor }),
    };
    return await prepared(() => holder.whileOpen(() => previewSensor(given)), 'the sensor could not be evaluated');
  }

  async function apply(input: unknown): Promise<TickRecord> {
    const id = parsePreviewId(input);
    if (id === undefined) throw rejected(`apply needs { "id": "..." }, as a preview gave it; optional: "by", "reason"`);
    const content = await prepared(() => activities.readPreview({ sensor, id }), 'the preview could not be read');
    const next = applyPreview(holder.get(), content, parseNote(input), Date.now());
    if (typeof next === 'string') throw rejected(`the preview cannot be applied: ${next}`);
    holder.edit(next);
    return await holder.recorded(next.tick);
  }

  return { setCursor, rerun, rearm, retryDeadLetters, preview, apply };
}

/** Before an activity is asked: what is too large for its input would block the sensor. */
function checkSize(cursor: Json | undefined): void {
  const bytes = cursor === undefined ? 0 : jsonBytes(cursor);
  if (bytes > MAX_CURSOR_BYTES) throw rejected(`the cursor is ${bytes} bytes; at most ${MAX_CURSOR_BYTES} (64 KB)`);
}

function namedKey(update: string, input: unknown): NonNullable<ReturnType<typeof parseKeyEdit>> {
  const edit = parseKeyEdit(input);
  if (edit !== undefined) return edit;
  throw rejected(`${update} needs { "runKey": "..." }; optional: "job", "by", "reason"`);
}
