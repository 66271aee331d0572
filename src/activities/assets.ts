/** Assets' logs from inside: recording for job workflows and ticks, and sealing old events into pages. */
import { Context } from '@temporalio/activity';
import { foldAssetLog } from '../client/fold-asset-log.js';
import { checkMembership } from '../client/asset-events.js';
import { recordAssetEvents } from '../client/assets.js';
import { writePage } from '../client/pages.js';
import type { AssetEvent, AssetProducer, Metadata } from '../sensors/asset-event.js';
import { describeError } from '../sensors/describe-error.js';
import { eventsOfTick } from '../sensors/asset-requests.js';
import type { AssetRecording, WaitingAssets } from '../sensors/protocol.js';
import {
  applySeal,
  ASSET_PAGE_KIND,
  ASSET_PAGE_OWNER,
  pagePrefix,
  planSeal,
  type LogSeal,
  type LogState,
} from '../workflows/asset-log-state.js';
import { warnIfUnknown } from './asset-reader.js';
import type { SensorActivityDependencies } from './index.js';

/** An event of a job workflow; this activity gives it its identity. */
export interface JobAssetEvent {
  readonly asset: string;
  readonly kind: AssetEvent['kind'];
  readonly partitionKey?: string;
  readonly metadata: Metadata;
  readonly producer: AssetProducer;
}

export function createAssetActivities({ registry }: SensorActivityDependencies) {
  return {
    /**
     * Records what a job workflow said. The event's ID is that of this activity, so that it is recorded once.
     *
     * @throws `ApplicationFailure`, not retryable, for a partition that the asset does not have, or one that is missing, as this worker knows it
     */
    async recordAssetEvent(event: JobAssetEvent): Promise<void> {
      const { client, info } = Context.current();
      const { asset } = event;
      const definition = registry.assets.get(asset);
      if (definition === undefined) warnIfUnknown(registry, [asset]);
      else await checkMembership(client, definition, event, registry.prefix);
      const eventId = `${info.workflowExecution?.runId ?? ''}/${info.activityId}`;
      await recordAssetEvents(client, [{ ...event, eventId }], { taskQueue: info.taskQueue });
    },

    /**
     * Records what a tick said. The events' IDs are those of its evaluation, so that each is recorded once: a log forgets
     * older IDs, so what one asset has on record is not sent again while another takes nothing.
     *
     * @returns the assets that take no events yet, if others took theirs
     * @throws what the first asset said, when none took any
     */
    async recordTickEvents({
      sensor,
      tick,
      recording,
    }: {
      sensor: string;
      tick: number;
      recording: AssetRecording;
    }): Promise<WaitingAssets> {
      const { client, info } = Context.current();
      const events = eventsOfTick(recording, sensor, tick);
      const assets = [...new Set(events.map(({ asset }) => asset))];
      warnIfUnknown(registry, assets);
      const ends = await Promise.allSettled(
        assets.map(async (name) => {
          const own = events.filter(({ asset }) => asset === name);
          await recordAssetEvents(client, own, { taskQueue: info.taskQueue });
        })
      );
      const waiting = assets.filter((_, index) => ends[index]?.status === 'rejected');
      const first: unknown = ends.find((end) => end.status === 'rejected')?.reason;
      if (waiting.length > 0 && waiting.length === assets.length) throw first;
      return { waiting, why: first === undefined ? '' : describeError(first, 'recordTickEvents') };
    },

    /** Writes the oldest events of a log's tail as a page, and gives its ID. */
    async sealAssetEvents({ asset, seal }: { asset: string; seal: LogSeal }): Promise<string> {
      return await writeEventPage(asset, seal);
    },

    /** What the log knew when it was closed; small enough to be carried on. */
    async recoverAssetLog({ asset, runId }: { asset: string; runId: string }): Promise<LogState> {
      const { client } = Context.current();
      let state = await foldAssetLog(client, asset, runId, () => Context.current().heartbeat());
      for (let seal = planSeal(state); seal !== undefined; seal = planSeal(state)) {
        Context.current().heartbeat();
        state = applySeal(state, seal, (await writeEventPage(asset, seal)).slice(pagePrefix(asset).length));
      }
      return state;
    },
  };
}

async function writeEventPage(asset: string, content: LogSeal): Promise<string> {
  const { client, info } = Context.current();
  return await writePage(client, {
    sensor: ASSET_PAGE_OWNER + asset,
    kind: ASSET_PAGE_KIND,
    content,
    taskQueue: info.taskQueue,
  });
}
