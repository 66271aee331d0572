/**
 * What an outcome means for the sensor: which of its requests are good, which are news, and whether the tick is quiet.
 *
 * The evaluation activity asks it with the loop's input; so do previews and the testing toolkit. Knows nothing of
 * Temporal.
 */
import { checkRequests, type RequestRules } from './check-requests.js';
import type { CursorChange } from './cursor.js';
import { describeIssues } from './describe-issues.js';
import type { SensorDefinition } from './define-sensor.js';
import { EvaluationError, quote } from './errors.js';
import type { EvaluationOutcome } from './evaluation.js';
import { cutText, jsonBytes, sameJson, type Json } from './json.js';
import { MAX_TEXT_BYTES } from './limits.js';
import { describeUpToDate } from './narrow-stale.js';
import type { EvaluationInput, EvaluationResult, FailureDetails, Rejection } from './protocol.js';

const KNOWN_ERROR_BYTES = 256;

/** Pushed events that fit the sensor's schema, and rejections for the others. */
export function checkEvents(
  input: Pick<EvaluationInput, 'events' | 'firstEvent'>,
  definition: SensorDefinition
): { readonly events: readonly Json[]; readonly rejected: readonly Rejection[] } {
  const { events: schema } = definition;
  if (schema === undefined) return { events: input.events, rejected: [] };
  const events: Json[] = [];
  const rejected: Rejection[] = [];
  for (const [index, event] of input.events.entries()) {
    const parsed = schema.safeParse(event);
    if (parsed.success) events.push(parsed.data as Json);
    else {
      const error = cutText(
        `a pushed event does not fit the sensor's schema (${describeIssues(parsed.error, 'event')})`,
        MAX_TEXT_BYTES
      );
      rejected.push({ id: `event-${input.firstEvent + index}`, kind: 'event', error, payload: event });
    }
  }
  return { events, rejected };
}

/** What is left to add: logs and times. */
export type CheckedOutcome = Omit<EvaluationResult, keyof FailureDetails>;

/** How many rejections a failed tick names when the author wants bad requests to fail it. */
const NAMED_REJECTIONS = 3;

/**
 * The result of an evaluation, as far as its outcome decides it.
 *
 * @throws {@link EvaluationError} when what was rejected must fail the tick
 */
export function checkOutcome(
  input: EvaluationInput,
  definition: SensorDefinition,
  outcome: EvaluationOutcome,
  rejectedEvents: readonly Rejection[],
  { isKnown, nonce, partitions, now }: Pick<RequestRules, 'isKnown' | 'nonce' | 'partitions' | 'now'>
): CheckedOutcome {
  const checked = checkRequests(outcome.requests, {
    sensor: input.sensor,
    jobs: definition.jobs,
    runIds: definition.runIds,
    isKnown,
    partitions,
    now,
    isForeign: (hash) => input.foreignKeys.includes(hash),
    rearmed: input.rearmed,
    nonce,
  });
  if (definition.onInvalid === 'fail' && checked.rejected.length > 0) {
    const named = checked.rejected
      .slice(0, NAMED_REJECTIONS)
      .map(({ error, runKey }) => `${quote(runKey ?? 'no run key')}: ${error}`);
    throw new EvaluationError(
      `${checked.rejected.length} run requests are invalid, and onInvalid is 'fail': nothing was started. ${named.join('; ')}`
    );
  }
  // the same rejection twice is one dead letter; one that is there already needs no second copy of its payload
  const { parked = [], ...fed } = outcome.fed ?? {};
  const events = (outcome.initialCursor ?? fed.initialCursor) === true ? [] : rejectedEvents;
  const rejected = [
    ...new Map([...events, ...checked.rejected, ...parked].map((each) => [each.id, each])).values(),
  ].map(({ payload, ...each }) =>
    input.deadLetters.includes(each.id)
      ? { ...each, error: cutText(each.error, KNOWN_ERROR_BYTES) }
      : { ...each, ...(payload === undefined ? {} : { payload }) }
  );
  const unknown = newRejections(input, rejected);
  if (unknown.length > 0 && jsonBytes(unknown) + 200 * unknown.length > input.deadLetterRoom) {
    throw new EvaluationError(
      `${unknown.length} requests were rejected and the dead letters are full (64 KB): discard or repair them; the first: ${unknown[0]?.error ?? ''}`
    );
  }
  const lastRunKey = outcome.requests.findLast(({ runKey }) => typeof runKey === 'string')?.runKey;
  // a tick that handled events, or recorded some, has not done nothing
  const assetEvents = outcome.assetEvents.map(({ event }) => event);
  const acted = (outcome.fed?.handled ?? 0) > 0 || assetEvents.length > 0;
  const asked = outcome.requests.length + outcome.upToDate.length > 0;
  const busy = acted && outcome.skipReason === undefined && !asked;
  const skipReason = busy
    ? undefined
    : describeSkip(outcome, checked.duplicates.count, rejected.length - unknown.length);
  const hashes = new Set(checked.accepted.map(({ hash }) => hash));
  return {
    kind: 'evaluated',
    requests: checked.accepted,
    staged: [],
    ...(partitions.changes.length === 0 ? {} : { partitions: partitions.changes }),
    ...(assetEvents.length === 0
      ? {}
      : { assetEvents: { id: `${input.sensor}/${input.tick}/${nonce}`, events: assetEvents } }),
    cleared: input.deadLetters.filter((id) => hashes.has(id)),
    rejected,
    duplicates: checked.duplicates,
    ...(checked.accepted.length === 0 && unknown.length === 0 && skipReason !== undefined ? { skipReason } : {}),
    cursor: changed(input, outcome.cursor),
    ...(outcome.initialCursor === undefined ? {} : { initialCursor: outcome.initialCursor }),
    more:
      outcome.more &&
      (checked.accepted.length > 0 ||
        partitions.changes.length > 0 ||
        assetEvents.length > 0 ||
        changed(input, outcome.cursor).kind !== 'keep'),
    ...(lastRunKey === undefined ? {} : { lastRunKey: cutText(lastRunKey, 1024) }),
    ...fed,
  };
}

function newRejections(input: EvaluationInput, rejected: readonly Rejection[]): readonly Rejection[] {
  return rejected.filter(({ id }) => !input.deadLetters.includes(id));
}

/** A cursor that was set to what it is has not changed. */
function changed(input: EvaluationInput, change: CursorChange): CursorChange {
  const same =
    change.kind === 'set'
      ? input.cursor !== undefined && sameJson(change.value, input.cursor.value)
      : input.cursor === undefined;
  return change.kind !== 'keep' && same ? { kind: 'keep' } : change;
}

/** Whether the tick brought nothing new, so that it may fold. */
export function isQuiet(input: EvaluationInput, result: CheckedOutcome): boolean {
  return (
    input.failing === (result.failure !== undefined) &&
    input.events.length === 0 &&
    result.requests.length === 0 &&
    result.staged.length === 0 &&
    result.partitions === undefined &&
    result.assetEvents === undefined &&
    result.cursor.kind === 'keep' &&
    newRejections(input, result.rejected).length === 0
  );
}

function describeSkip(outcome: EvaluationOutcome, duplicates: number, deadLetters: number): string {
  if (outcome.skipReason !== undefined) return outcome.skipReason;
  const total = outcome.requests.length;
  if (total === 0 && outcome.upToDate.length > 0) return cutText(describeUpToDate(outcome.upToDate), MAX_TEXT_BYTES);
  if (total === 0)
    return outcome.partitionRequests.length === 0 ? 'evaluate asked for nothing' : 'evaluate asked for no runs';
  if (deadLetters === 0) return `${total} request${total === 1 ? '' : 's'}, all already run`;
  return `${total} requests: ${duplicates} already run, ${deadLetters} in the dead letters`;
}
