/**
 * How the sensors of the namespace are, as gauges: every half minute, from the memos of their loops.
 *
 * The loop cannot do this itself: a gauge that a workflow sets stays on the worker that had the workflow's last task,
 * and is soon wrong beside that of another worker. So each worker asks the server, and all of them say the same. They
 * tell of all sensors, not of their own alone: who else should tell of one whose workers are gone?
 * Without telemetry nothing is asked.
 */
import type { Client } from '@temporalio/client';
import { noopMetricMeter, type MetricMeter } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { inBatches } from '../client/batches.js';
import type { Execution } from '../client/executions.js';
import { isEndedForGood, lastRuns } from '../client/latest-runs.js';
import { setGauge } from '../sensors/metrics.js';
import { LOOP_ID_PREFIX, LOOP_TYPE, SENSOR_MEMO, STOPPED_BY_FAILURES, type SensorMemo } from '../sensors/protocol.js';

const EVERY_MS = 30_000;
const LIST_TIMEOUT_MS = 10_000;
const LOOKUPS_AT_ONCE = 20;

/** Whose gauges: a sensor that moves to another task queue has others. */
interface Owner {
  readonly sensor: string;
  readonly taskQueue: string;
}

interface Facts extends Partial<SensorMemo> {
  readonly closed?: boolean;
}

export class Gauges {
  readonly #abort = new AbortController();
  /** Those that have gauges: a meter forgets none, so what is gone is told to be 0. */
  readonly #told = new Map<string, Owner>();
  /** Of closed runs: whether they were ended for good. */
  #forGood: ReadonlyMap<string, boolean> = new Map();
  #setting: Promise<void> = Promise.resolve();

  /**
   * @param sensors names of the worker's sensors: they have gauges though their loops may be gone
   * @param report told when the loops could not be listed
   */
  constructor(
    private readonly sensors: readonly string[],
    private readonly report: (message: string, error: unknown) => void
  ) {}

  start(client: Client, taskQueue: string, meter: MetricMeter): void {
    if (meter === noopMetricMeter || this.sensors.length === 0) return;
    for (const sensor of this.sensors) this.#told.set(keyOf({ sensor, taskQueue }), { sensor, taskQueue });
    const { namespace } = client.options;
    this.#setting = this.#keepSetting(client, meter.withTags({ namespace }));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#setting;
  }

  async #keepSetting(client: Client, meter: MetricMeter): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await client.withAbortSignal(signal, () =>
          client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () => this.#set(client, meter))
        );
      } catch (error) {
        if (!signal.aborted) this.report('the sensors could not be listed; their gauges stay as they were', error);
      }
      await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #set(client: Client, meter: MetricMeter): Promise<void> {
    const loops = await lastRuns(client, LOOP_TYPE, LOOP_ID_PREFIX);
    const running = loops.filter(({ status }) => status.name === 'RUNNING');
    // what another application's codec encodes stays unsaid
    for (const loop of running.filter(({ unreadable }) => !unreadable))
      this.#tell(meter, ownerOf(loop), loop.memo?.[SENSOR_MEMO] ?? {});
    const ended = loops.filter(({ status }) => status.name !== 'RUNNING');
    const closed = await this.#closedOf(client, ended);
    for (const loop of closed) this.#tell(meter, ownerOf(loop), { closed: true });
    const here = new Set([...running, ...closed].map((loop) => keyOf(ownerOf(loop))));
    for (const [key, owner] of this.#told) if (!here.has(key)) this.#tell(meter, owner, {});
  }

  /** Those that were cancelled or terminated by hand. What was asked is kept: a deadline may end a long round of it. */
  async #closedOf(client: Client, ended: readonly Execution[]): Promise<readonly Execution[]> {
    const known = new Map(ended.flatMap(({ runId }) => entry(runId, this.#forGood.get(runId))));
    this.#forGood = known;
    const asked = ended.filter(({ runId }) => !known.has(runId));
    await inBatches(asked, LOOKUPS_AT_ONCE, async (run) => known.set(run.runId, await isEndedForGood(client, run)));
    return ended.filter(({ runId }) => known.get(runId) === false);
  }

  #tell(meter: MetricMeter, owner: Owner, facts: Facts): void {
    this.#told.set(keyOf(owner), owner);
    setGauges(meter.withTags({ taskQueue: owner.taskQueue }), owner.sensor, facts, Date.now());
  }
}

function entry<T>(key: string, value: T | undefined): readonly (readonly [string, T])[] {
  return value === undefined ? [] : [[key, value]];
}

function ownerOf({ workflowId, taskQueue }: Execution): Owner {
  return { sensor: workflowId.slice(LOOP_ID_PREFIX.length), taskQueue };
}

function keyOf({ sensor, taskQueue }: Owner): string {
  return JSON.stringify([taskQueue, sensor]);
}

function setGauges(meter: MetricMeter, sensor: string, facts: Facts, now: number): void {
  const { closed = false, status, statusBy, health, pending = 0, deadLetters = 0, behindSince = now } = facts;
  const stoppedItself = status === 'stopped' && statusBy === STOPPED_BY_FAILURES;
  setGauge(meter, 'sensors_running', status === 'running' ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_failing', health === 'failing' ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_stopped_itself', stoppedItself ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_closed', closed ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_pending_requests', pending, { sensor });
  setGauge(meter, 'sensors_dead_letters', deadLetters, { sensor });
  setGauge(meter, 'sensors_lag_seconds', (now - behindSince) / 1000, { sensor });
}
