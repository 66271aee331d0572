/** What can be seen on the server after a run: all runs of jobs, and what each loop says and has in its histories. */
import type { Client } from '@temporalio/client';
import { readAsset, type SensorClient } from '../../src/client/index.js';
import type { AssetEvent } from '../../src/index.js';
import { loopId } from '../../src/client/loops.js';
import { OWN_TYPES, RUN_MEMO, type RunMemo, type SensorState, type TickRecord } from '../../src/sensors/protocol.js';
import { persist } from './patience.js';
import { ASSET, type SensorPlan } from './world.js';

/** `WorkflowTaskFailedCause`: signals that race a command of the loop make the server ask again. */
const UNHANDLED_COMMAND = 1;
const JOBS_QUERY = `WorkflowType NOT IN (${OWN_TYPES.map((type) => `'${type}'`).join(', ')})`;
const LIST_PATIENCE_MS = 60_000;
/** More than any world has. */
const MAX_EVENTS = 100_000;

/** One run of a job, as the server has it. */
export interface SeenRun {
  readonly workflowId: string;
  readonly job: string;
  readonly status: string;
  readonly sensor: string | undefined;
  readonly tick: number | undefined;
  readonly runKey: string | undefined;
  /** Number of the item that asked for it. */
  readonly item: string | undefined;
}

export interface SensorEvidence {
  readonly state: SensorState;
  readonly ticks: readonly TickRecord[];
  /** A tick that was asked for after everything had ended. */
  readonly lastTick: TickRecord;
  readonly failedTasks: readonly string[];
  /** Runs of its loop, one continuing the other. */
  readonly loopRuns: number;
}

/** Sensors that do not answer are missing in it, with the reason. */
export interface Evidence {
  readonly runs: readonly SeenRun[];
  readonly sensors: ReadonlyMap<string, SensorEvidence>;
  readonly stuck: ReadonlyMap<string, string>;
  /** All events of the asset's log, in its order. */
  readonly made: readonly AssetEvent[];
}

export async function countJobs(client: Client): Promise<{ readonly runs: number; readonly open: number }> {
  const [runs, open] = await Promise.all([
    client.workflow.count(JOBS_QUERY),
    client.workflow.count(`${JOBS_QUERY} AND ExecutionStatus = 'Running'`),
  ]);
  return { runs: runs.count, open: open.count };
}

export async function gatherEvidence(
  client: Client,
  sensors: SensorClient,
  plans: readonly SensorPlan[],
  patienceMs: number
): Promise<Evidence> {
  const found = new Map<string, SensorEvidence>();
  const stuck = new Map<string, string>();
  await Promise.all(
    plans.map(async (plan) => {
      try {
        found.set(plan.name, await gatherSensor(client, sensors, plan, patienceMs));
      } catch (error) {
        stuck.set(plan.name, await describeStuck(sensors, plan.name, error));
      }
    })
  );
  const made = await persist(client, 'the log', () => readAsset(client, ASSET, { limit: MAX_EVENTS }), patienceMs);
  return { runs: await listRuns(client), sensors: found, stuck, made };
}

async function gatherSensor(
  client: Client,
  sensors: SensorClient,
  plan: SensorPlan,
  patienceMs: number
): Promise<SensorEvidence> {
  const { name } = plan;
  // an operator's last edit may have sent it back; if it never catches up, the verification says so
  await persist(client, `the rest of ${name}`, () => caughtUp(sensors, plan), patienceMs).catch(() => undefined);
  const lastTick = await persist(client, `a tick of ${name}`, () => sensors.tick(name), patienceMs);
  const [state, ticks] = await Promise.all([sensors.state(name), sensors.ticks(name)]);
  return { state, ticks, lastTick, ...(await readHistories(client, name)) };
}

async function caughtUp(sensors: SensorClient, { name, looks, items }: SensorPlan): Promise<void> {
  const { cursor, eventsWaiting } = await sensors.state(name);
  if (eventsWaiting > 0) throw new Error(`${eventsWaiting} events wait`);
  if ((looks === 'cursor' || looks === 'asset') && seenItems(cursor?.value) < items.length)
    throw new Error('its cursor is not at the end');
}

/** What a stored cursor of these sensors says. */
export function seenItems(cursor: unknown): number {
  const { seen, position } = (cursor ?? {}) as { readonly seen?: number; readonly position?: number };
  return seen ?? position ?? 0;
}

async function readHistories(
  client: Client,
  name: string
): Promise<{ readonly failedTasks: readonly string[]; readonly loopRuns: number }> {
  const failedTasks: string[] = [];
  let loopRuns = 0;
  for await (const { workflowId, runId } of client.workflow.list({ query: `WorkflowId = '${loopId(name)}'` })) {
    loopRuns++;
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    for (const { workflowTaskFailedEventAttributes: failed } of events ?? []) {
      if (failed == null || failed.cause === UNHANDLED_COMMAND) continue;
      failedTasks.push(`cause ${failed.cause}: ${failed.failure?.message ?? 'no message'} (run ${runId})`);
    }
  }
  return { failedTasks, loopRuns };
}

async function describeStuck(sensors: SensorClient, name: string, error: unknown): Promise<string> {
  const { message, cause } = error as Error;
  const description = await sensors.describe(name).catch((failed: unknown) => String(failed));
  return `${message}: ${String(cause)}; ${JSON.stringify(description)}`;
}

async function listRuns(client: Client): Promise<readonly SeenRun[]> {
  return await persist(
    client,
    'the list of all runs',
    async () => {
      const runs: SeenRun[] = [];
      for await (const { workflowId, type, status, memo: memos } of client.workflow.list({ query: JOBS_QUERY })) {
        const memo = memos?.[RUN_MEMO] as RunMemo | undefined;
        runs.push({
          workflowId,
          job: type,
          status: status.name,
          sensor: memo?.sensor,
          tick: memo?.tick,
          runKey: memo?.runKey,
          item: memo?.tags?.['item'],
        });
      }
      return runs;
    },
    LIST_PATIENCE_MS
  );
}
