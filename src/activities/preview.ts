/** Evaluating without committing: what would start, and the result kept in a page so that it can be committed as shown. */
import { CancelledFailure, Context } from '@temporalio/activity';
import { readPage, writePage } from '../client/pages.js';
import type { CursorChange, StoredCursor } from '../sensors/cursor.js';
import { describeError } from '../sensors/describe-error.js';
import { rejected } from '../sensors/failures.js';
import { jsonBytes } from '../sensors/json.js';
import type {
  EvaluationInput,
  EvaluationResult,
  FailureDetails,
  LaunchRequest,
  Preview,
  PreviewContent,
  PreviewedRequest,
} from '../sensors/protocol.js';
import { definitionOf } from './definition.js';
import { Evaluating, type Evaluator } from './evaluator.js';
import type { SensorActivityDependencies } from './index.js';
import type { SearchAttributes } from './search-attributes.js';

/** How long a preview can be applied. */
const KEPT_FOR = '1 day';
const MAX_SHOWN = 50;
const MAX_SHOWN_BYTES = 128 * 1024;
const PREVIEW_PAGES = 'preview';

export function createPreviewActivities(
  { registry }: SensorActivityDependencies,
  evaluator: Evaluator,
  searchAttributes: SearchAttributes
) {
  return {
    /** One evaluation. What the author's code throws is part of the answer. */
    async previewSensor({
      input,
      cursorEdits,
      cursor,
    }: {
      input: EvaluationInput;
      /** Of the loop's state: an edit since makes the preview outdated. */
      cursorEdits: number;
      /** Instead of the stored cursor; `null` for none. */
      cursor?: StoredCursor | null;
    }): Promise<Preview> {
      const { client, info } = Context.current();
      const definition = definitionOf(registry, input.sensor);
      const times = { scheduledAt: info.currentAttemptScheduledTimestampMs, waitedMs: 0 };
      const { cursor: stored, ...rest } = input;
      const from = cursor === undefined ? stored : (cursor ?? undefined);
      const given: EvaluationInput = { ...rest, ...(from === undefined ? {} : { cursor: from }) };
      const evaluating = new Evaluating(given, definition, times);
      let result: EvaluationResult;
      try {
        const kept = await evaluator.evaluate(evaluating, 'preview');
        // another cursor than the stored one was asked for, so keeping it is a change
        result = cursor === undefined || kept.cursor.kind !== 'keep' ? kept : { ...kept, cursor: changeTo(cursor) };
      } catch (error) {
        if (error instanceof CancelledFailure) throw error;
        evaluating.book.traceback(error);
        return { ...facts(given, evaluating.report), status: 'failure', error: describeError(error, 'evaluate') };
      }
      const content: PreviewContent = { input: given, cursorEdits, result };
      const { sensor } = input;
      const page = { sensor, kind: PREVIEW_PAGES, content, taskQueue: info.taskQueue, expiresAfter: KEPT_FOR };
      const id = await writePage(client, page);
      return { ...facts(given, result), ...shown(result), id };
    },

    /** What a preview showed. */
    async readPreview({ sensor, id }: { sensor: string; id: string }): Promise<PreviewContent> {
      if (!id.startsWith(`page/${sensor}/${PREVIEW_PAGES}/`))
        throw rejected(`'${id}' is not a preview of sensor '${sensor}'`);
      try {
        const { client } = Context.current();
        const { status } = await client.workflow.getHandle(id).describe();
        if (status.name !== 'RUNNING') throw new Error('it is older than a day');
        const { result, ...content } = (await readPage(client, id)) as PreviewContent;
        return { ...content, result: { ...result, requests: await searchAttributes.mark(client, result.requests) } };
      } catch (error) {
        throw rejected(`the preview cannot be read: ${(error as Error).message}; preview again`);
      }
    },
  };
}

function changeTo(cursor: StoredCursor | null): CursorChange {
  return cursor === null ? { kind: 'clear' } : { kind: 'set', value: cursor.value };
}

type Facts = 'tick' | 'events' | 'cursorBefore' | 'logs' | 'evaluationMs' | 'requests' | 'duplicates' | 'rejected';

function facts({ tick, events, cursor }: EvaluationInput, report: FailureDetails): Pick<Preview, Facts> {
  return {
    tick,
    events: events.length,
    ...(cursor === undefined ? {} : { cursorBefore: cursor }),
    logs: report.logs,
    evaluationMs: report.durationMs,
    requests: { count: 0, sample: [] },
    duplicates: { count: 0, sample: [] },
    rejected: { count: 0, sample: [] },
  };
}

function shown(result: EvaluationResult): Omit<Preview, Exclude<Facts, 'requests' | 'duplicates' | 'rejected'> | 'id'> {
  const staged = result.staged.reduce((sum, { requests }) => sum + requests, 0);
  const count = result.requests.length + staged;
  const assetEvents = result.assetEvents && {
    count: result.assetEvents.events.length,
    sample: firstOf(result.assetEvents.events),
  };
  return {
    status:
      count > 0 || assetEvents !== undefined
        ? 'success'
        : result.rejected.length > 0 && result.skipReason === undefined
          ? 'failure'
          : 'skipped',
    requests: { count, sample: sampleOf(result.requests) },
    duplicates: result.duplicates,
    rejected: { count: result.rejected.length, sample: result.rejected.slice(0, MAX_SHOWN) },
    cursor: result.cursor,
    more: result.more,
    ...(result.partitions === undefined ? {} : { partitions: result.partitions }),
    ...(assetEvents === undefined ? {} : { assetEvents }),
    ...(result.skipReason === undefined ? {} : { skipReason: result.skipReason }),
  };
}

function sampleOf(requests: readonly LaunchRequest[]): readonly PreviewedRequest[] {
  return firstOf(
    requests.slice(0, MAX_SHOWN).map(({ id, job, runKey, partitionKey, assets, tags, args }) => ({
      id,
      job,
      ...(runKey === undefined ? {} : { runKey }),
      ...(partitionKey === undefined ? {} : { partitionKey }),
      ...(assets === undefined ? {} : { assets }),
      ...(tags === undefined ? {} : { tags }),
      args,
    }))
  );
}

/** As many of them as there is room to show. */
function firstOf<T>(all: readonly T[]): readonly T[] {
  let bytes = 0;
  const shown = all.slice(0, MAX_SHOWN);
  const end = shown.findIndex((each) => (bytes += jsonBytes(each)) > MAX_SHOWN_BYTES);
  return end === -1 ? shown : shown.slice(0, end);
}
