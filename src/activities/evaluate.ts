/**
 * The evaluation activity: the author's code under the rules of a tick.
 *
 * A quiet evaluation does not complete. It fails in a way that Temporal retries after the interval without writing
 * history, with the skip reason as its message: an idle sensor is one pending activity. Only news complete it: new
 * requests, a changed cursor, consumed events, a change of health, or a tick that somebody waits for.
 */
import { createHash } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import { PageMissingError } from '../client/pages.js';
import { checkEvents, checkOutcome, isQuiet } from '../sensors/check-outcome.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { describeWait } from '../sensors/describe-tick.js';
import { EvaluationError, FAILURE_TYPES } from '../sensors/errors.js';
import { evaluate } from '../sensors/evaluation.js';
import { withoutStack } from '../sensors/failures.js';
import { cutText } from '../sensors/json.js';
import type { LedgerKeys } from '../sensors/key-ledger.js';
import { HEARTBEAT_TIMEOUT_MS, MAX_TEXT_BYTES, REST_AFTER_MS } from '../sensors/limits.js';
import { LogBook } from '../sensors/log-book.js';
import {
  QUERIES,
  type EvaluationInput,
  type EvaluationResult,
  type FailureDetails,
  type RestResult,
  type StreakRecord,
} from '../sensors/protocol.js';
import { Attempt } from './attempt.js';
import type { SensorActivityDependencies } from './index.js';
import { KnownKeys } from './known-keys.js';
import { deferToNewer, refuseOutdated } from './newest.js';
import { stageRequests } from './pages.js';
import { extendStreak } from './streak.js';

const MAX_STACK_BYTES = 4 * 1024;
/** How soon the run keys are asked for again when they could not be read. */
const NO_KEYS_RETRY_MS = 2_000;
const MISSING_PAGE_RETRY_MS = 10_000;
/** How soon another worker is tried when this one does not have the definition. */
const NOT_LOADED_RETRY_MS = 5_000;
const TIMER_SLACK_MS = 5;

export function createEvaluateActivity({ registry }: SensorActivityDependencies) {
  /** Evaluations whose author's code still runs on this worker, since when. */
  const running = new Map<string, Date>();
  /** Evaluations that blocked the event loop for so long that the server did not take their result. */
  const blocked = new Map<string, EvaluationError>();
  const keys = new Map<string, KnownKeys>();

  async function evaluateSensor(input: EvaluationInput): Promise<EvaluationResult | RestResult> {
    const { info } = Context.current();
    const waitedMs = info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs;
    if (waitedMs + TIMER_SLACK_MS < input.delayMs) throw waiting(input, input.delayMs - waitedMs);
    const definition = registry.sensors.get(input.sensor);
    if (definition === undefined) throw notLoaded(input, [...registry.sensors.keys()]);
    await refuseOutdated();
    const streak = deferToNewer(input, definition);
    return await evaluateLoaded(input, definition, waitedMs, streak);
  }

  async function evaluateLoaded(
    input: EvaluationInput,
    definition: SensorDefinition,
    waitedMs: number,
    streak: StreakRecord | undefined
  ): Promise<EvaluationResult | RestResult> {
    const { client, info, log } = Context.current();
    const began = Date.now();
    const book = new LogBook(
      (level, message, metadata) => log[level](message, { sensor: input.sensor, ...metadata }),
      Date.now
    );
    const attempt = new Attempt(input, client, streak);
    const reported = (): FailureDetails => ({
      logs: book.lines,
      logLinesDropped: book.dropped,
      durationMs: Date.now() - began,
      quiet: streak?.reasons ?? [],
    });
    let result: EvaluationResult;
    try {
      const lost = blocked.get(input.sensor);
      if (blocked.delete(input.sensor)) throw lost;
      const since = running.get(input.sensor);
      if (since !== undefined) {
        throw new EvaluationError(
          `an earlier evaluation of this sensor, begun ${since.toISOString()}, still runs on this worker because it ignores ctx.signal; ` +
            `a second one was not begun`
        );
      }
      const { events, rejected } = checkEvents(input, definition);
      const previousAt = info.currentAttemptScheduledTimestampMs - input.intervalMs;
      const lastTickAt = waitedMs - input.intervalMs >= input.delayMs ? previousAt : input.lastTickAt;
      const facts = {
        sensor: input.sensor,
        tick: input.tick,
        cursor: input.cursor,
        events,
        now: new Date(began),
        lastTickAt: lastTickAt === undefined ? undefined : new Date(lastTickAt),
        lastRunKey: input.lastRunKey,
        isFirstTickSinceStart: input.isFirstTickSinceStart,
        sensorStartedAt: new Date(input.sensorStartedAt),
      };
      const services = { signal: attempt.signal, heartbeat: () => attempt.heartbeat(), client, book };
      const outcome = await attempt.run(async () => {
        running.set(input.sensor, new Date(began));
        try {
          return await evaluate(definition, facts, services);
        } finally {
          running.delete(input.sensor);
          if (attempt.blockedMs > HEARTBEAT_TIMEOUT_MS) blocked.set(input.sensor, blockedError(attempt.blockedMs));
        }
      });
      const known = outcome.requests.some(({ runKey }) => runKey !== undefined)
        ? await knownKeys(input, attempt)
        : undefined;
      const nonce = nonceOf();
      const checked = checkOutcome(input, definition, outcome, rejected, {
        isKnown: (hash) => known?.has(hash) === true,
        nonce,
      });
      const staged = await stageRequests(input.sensor, nonce, checked.requests, () => attempt.heartbeat());
      result = { ...checked, ...(staged.length === 0 ? {} : { requests: [], staged }), ...reported() };
    } catch (error) {
      if (error instanceof CancelledFailure && error === attempt.signal.reason) throw error;
      if (error instanceof KeysUnavailableError) throw noKeys(input, error);
      throw failed(input, streak, error, reported());
    }
    if (!input.fold || !isQuiet(input, result)) return result;
    if (input.rest && waitedMs - input.delayMs >= REST_AFTER_MS) return { kind: 'rest' };
    throw quiet(input, streak, result.skipReason ?? '');
  }

  /** The run keys of the sensor, up to date. */
  async function knownKeys(input: EvaluationInput, attempt: Attempt): Promise<KnownKeys> {
    const { client, info } = Context.current();
    const { workflowId = '', runId } = info.workflowExecution ?? {};
    const ask = (): Promise<LedgerKeys> => client.workflow.getHandle(workflowId, runId).query<LedgerKeys>(QUERIES.keys);
    const known = keys.get(input.sensor) ?? new KnownKeys();
    keys.set(input.sensor, known);
    try {
      await known.refresh(client, input.ledger, ask, () => attempt.heartbeat());
      return known;
    } catch (error) {
      throw new KeysUnavailableError((error as Error).message, { cause: error });
    }
  }

  function quiet(input: EvaluationInput, streak: StreakRecord | undefined, reason: string): ApplicationFailure {
    recordInStreak(streak, reason);
    return withoutStack(
      ApplicationFailure.create({
        message: reason,
        type: FAILURE_TYPES.quiet,
        category: ApplicationFailureCategory.BENIGN,
        nextRetryDelay: input.intervalMs,
      })
    );
  }

  function failed(
    input: EvaluationInput,
    streak: StreakRecord | undefined,
    error: unknown,
    details: FailureDetails
  ): ApplicationFailure {
    const message = describeError(error);
    const folds = input.fold && input.failing;
    if (folds) recordInStreak(streak, message);
    const failure = ApplicationFailure.create({
      message,
      type: FAILURE_TYPES.failed,
      ...(folds ? { nextRetryDelay: input.intervalMs } : { nonRetryable: true, details: [details] }),
    });
    failure.stack = error instanceof Error ? cutText(error.stack ?? '', MAX_STACK_BYTES) : '';
    return failure;
  }

  return { evaluateSensor };
}

/** Without the run keys nothing can be decided: guessing would run something twice. */
class KeysUnavailableError extends Error {}

function noKeys({ intervalMs }: EvaluationInput, { message, cause }: KeysUnavailableError): ApplicationFailure {
  // a page that is gone comes back only if somebody restores it
  const patience = cause instanceof PageMissingError ? Math.min(intervalMs, MISSING_PAGE_RETRY_MS) : 0;
  return withoutStack(
    ApplicationFailure.create({
      message: cutText(
        `waiting: the run keys of this sensor cannot be read, and without them nothing is started: ${message}`,
        MAX_TEXT_BYTES
      ),
      type: FAILURE_TYPES.noKeys,
      nextRetryDelay: Math.max(NO_KEYS_RETRY_MS, patience),
    })
  );
}

/**
 * Mints the part of workflow IDs that stands for this evaluation. Attempts share it, since only one of them commits; a
 * reset in Temporal Web makes a new run, and so another one.
 */
function nonceOf(): string {
  const { info } = Context.current();
  const text = `${info.workflowExecution?.runId ?? ''}:${info.activityId}`;
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** Adds why this attempt folds to the record that the next one finds, if it says something new. */
function recordInStreak(streak: StreakRecord | undefined, reason: string): void {
  const extended = extendStreak(streak, reason, Date.now());
  if (extended !== undefined) Context.current().heartbeat(extended);
}

function blockedError(ms: number): EvaluationError {
  return new EvaluationError(
    `the evaluation before this one blocked its worker's event loop for ${Math.round(ms / 1000)} s with synchronous code; after ` +
      `${HEARTBEAT_TIMEOUT_MS / 1000} s without a sign of life Temporal gave up on it, so its result was lost: split the work up or await in between`
  );
}

function waiting(input: EvaluationInput, remainingMs: number): ApplicationFailure {
  return withoutStack(
    ApplicationFailure.create({
      message: describeWait(input.lastOutcome),
      type: FAILURE_TYPES.waiting,
      category: ApplicationFailureCategory.BENIGN,
      // 0 would end the activity
      nextRetryDelay: Math.max(1, Math.ceil(remainingMs)),
    })
  );
}

function notLoaded(input: EvaluationInput, loaded: readonly string[]): ApplicationFailure {
  const names = loaded.length > 20 ? `${loaded.length} others` : loaded.join(', ') || 'none';
  return withoutStack(
    ApplicationFailure.create({
      message: `sensor '${input.sensor}' is not loaded by the worker that was asked (loaded: ${names}); start a worker with it, or stop it`,
      type: FAILURE_TYPES.notLoaded,
      nextRetryDelay: Math.max(1_000, Math.min(input.intervalMs, NOT_LOADED_RETRY_MS)),
    })
  );
}

function describeError(error: unknown): string {
  if (!(error instanceof Error))
    return cutText(
      `evaluate threw ${typeof error === 'string' ? `'${error}'` : `a ${typeof error}`}, which is not an Error`,
      MAX_TEXT_BYTES
    );
  const text = error instanceof EvaluationError ? error.message : `${error.name}: ${error.message}`;
  return cutText(text, MAX_TEXT_BYTES);
}
