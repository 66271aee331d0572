/**
 * What the log of an asset knew when it was closed: cancelled or terminated by somebody, or by the server. Its state at
 * the begin of its last run and the messages in that run's history say it, by the same rules as in the workflow.
 */
import type { Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { ASSET_LOG_ID_PREFIX } from '../sensors/protocol.js';
import { applyAssetMessage } from '../workflows/apply-asset-message.js';
import { applySeal, newLog, pagePrefix, type LogSeal, type LogState } from '../workflows/asset-log-state.js';
import { parseLogState } from '../workflows/parse-asset-log.js';
import { listExecutions } from './executions.js';
import type { History } from './fold-history.js';
import { PRUNED } from './loops.js';
import { isNotFound } from './not-found.js';
import { quoted } from './query.js';
import { readCloseEvent } from './run-history.js';

type Change = (state: LogState) => LogState;

/** What one run did. */
interface Run {
  /** What it began with; `undefined` when it was closed before it knew that. */
  readonly base: LogState | undefined;
  readonly changes: readonly Change[];
}

/**
 * @param runId of the run that asks
 * @param alive called now and then
 * @returns a new log when there was none, or the last one was ended for good
 */
export async function foldAssetLog(client: Client, asset: string, runId: string, alive: () => void): Promise<LogState> {
  const changes: Change[][] = [];
  let base: LogState | undefined;
  for await (const before of closedRuns(client, asset, runId)) {
    alive();
    const closed = await readCloseEvent(client, { workflowId: ASSET_LOG_ID_PREFIX + asset, runId: before });
    if (closed?.workflowExecutionTerminatedEventAttributes?.reason === PRUNED) break;
    const run = await readRun(client, asset, before);
    changes.unshift([...run.changes]);
    ({ base } = run);
    if (base !== undefined) break;
  }
  return changes.flat().reduce((state, change) => change(state), base ?? newLog(Date.now()));
}

/** Run IDs, newest first. Visibility lags behind: a run that continued as new is followed to the last one. */
async function* closedRuns(client: Client, asset: string, own: string): AsyncIterable<string> {
  const workflowId = ASSET_LOG_ID_PREFIX + asset;
  const seen = new Set([own]);
  for await (const listed of listExecutions(client, `WorkflowId = ${quoted(workflowId)}`)) {
    const chain: string[] = [];
    for (let runId: string | undefined = listed.runId; runId !== undefined && !seen.has(runId);) {
      seen.add(runId);
      chain.unshift(runId);
      const closed = await readCloseEvent(client, { workflowId, runId });
      runId = closed?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
    }
    yield* chain;
  }
}

async function readRun(client: Client, asset: string, runId: string): Promise<Run> {
  const { loadedDataConverter } = client.options;
  const decode = async (payloads: Parameters<typeof decodeArrayFromPayloads>[1]): Promise<unknown> =>
    (await decodeArrayFromPayloads(loadedDataConverter, payloads))[0];
  const scheduled = new Map<string, { readonly name: string; readonly input: unknown }>();
  const changes: Change[] = [];
  let base: LogState | undefined;
  let startedAt = 0;
  for (const event of (await fetchHistory(client, asset, runId)).events ?? []) {
    const now = tsToMs(event.eventTime);
    const { workflowExecutionStartedEventAttributes: started, workflowExecutionSignaledEventAttributes: signal } =
      event;
    const { activityTaskScheduledEventAttributes: activity, activityTaskCompletedEventAttributes: completed } = event;
    if (started != null) {
      base = parseLogState(await decode(started.input?.payloads));
      startedAt = now;
    }
    if (signal != null) {
      const message = { name: signal.signalName ?? '', arg: await decodeSignal(decode, signal.input?.payloads), now };
      changes.push((state) => applyAssetMessage(state, asset, message));
    }
    if (activity != null)
      scheduled.set(String(event.eventId), {
        name: activity.activityType?.name ?? '',
        input: activity.activityType?.name === 'sealAssetEvents' ? await decode(activity.input?.payloads) : undefined,
      });
    const ended = completed == null ? undefined : scheduled.get(String(completed.scheduledEventId));
    if (ended?.name === 'recoverAssetLog')
      base = parseLogState(await decode(completed?.result?.payloads)) ?? newLog(startedAt);
    if (ended?.name !== 'sealAssetEvents') continue;
    const { seal } = ended.input as { readonly seal: LogSeal };
    const id = await decode(completed?.result?.payloads);
    const prefix = pagePrefix(asset);
    if (typeof id === 'string' && id.startsWith(prefix))
      changes.push((state) => applySeal(state, seal, id.slice(prefix.length)));
  }
  return { base, changes };
}

/** A signal that cannot be decoded is one that the workflow could not take either. */
async function decodeSignal<T>(decode: (payloads: T) => Promise<unknown>, payloads: T): Promise<unknown> {
  try {
    return await decode(payloads);
  } catch {
    return undefined;
  }
}

async function fetchHistory(client: Client, asset: string, runId: string): Promise<History> {
  try {
    return await client.workflow.getHandle(ASSET_LOG_ID_PREFIX + asset, runId).fetchHistory();
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}
