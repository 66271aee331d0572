/**
 * How the sensors of a worker are, as gauges: every half minute, from the memos of their loops.
 *
 * The loop cannot do this itself: a gauge that a workflow sets stays on the worker that had the workflow's last task,
 * and is soon wrong beside that of another worker. So each worker asks the server, and all of them say the same.
 * Without telemetry nothing is asked.
 */
import type { Client } from '@temporalio/client';
import { noopMetricMeter, type MetricMeter } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { listExecutions } from '../client/executions.js';
import { quoted } from '../client/query.js';
import { setGauge } from '../sensors/metrics.js';
import { LOOP_ID_PREFIX, LOOP_TYPE, SENSOR_MEMO, type SensorMemo } from '../sensors/protocol.js';

const EVERY_MS = 30_000;
const LIST_TIMEOUT_MS = 10_000;

export class Gauges {
  readonly #abort = new AbortController();
  #setting: Promise<void> = Promise.resolve();

  /**
   * @param sensors names of the worker's sensors
   * @param report told when the loops could not be listed
   */
  constructor(
    private readonly sensors: readonly string[],
    private readonly report: (message: string, error: unknown) => void
  ) {}

  start(client: Client, taskQueue: string, meter: MetricMeter): void {
    if (meter === noopMetricMeter || this.sensors.length === 0) return;
    const { namespace } = client.options;
    this.#setting = this.#keepSetting(client, taskQueue, meter.withTags({ namespace, taskQueue }));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#setting;
  }

  async #keepSetting(client: Client, taskQueue: string, meter: MetricMeter): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await client.withAbortSignal(signal, () =>
          client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () => this.#set(client, taskQueue, meter))
        );
      } catch (error) {
        if (!signal.aborted) this.report('the sensors could not be listed; their gauges stay as they were', error);
      }
      await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #set(client: Client, taskQueue: string, meter: MetricMeter): Promise<void> {
    const now = Date.now();
    const memos = new Map<string, Partial<SensorMemo>>();
    const query = `WorkflowType = '${LOOP_TYPE}' AND ExecutionStatus = 'Running' AND TaskQueue = ${quoted(taskQueue)}`;
    for await (const { workflowId, memo, unreadable } of listExecutions(client, query))
      if (unreadable === undefined) memos.set(workflowId, memo?.[SENSOR_MEMO] ?? {});
    for (const sensor of this.sensors) setGauges(meter, sensor, memos.get(LOOP_ID_PREFIX + sensor) ?? {}, now);
  }
}

function setGauges(meter: MetricMeter, sensor: string, memo: Partial<SensorMemo>, now: number): void {
  const { status, health, pending = 0, deadLetters = 0, behindSince = now } = memo;
  setGauge(meter, 'sensors_running', status === 'running' ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_failing', health === 'failing' ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_pending_requests', pending, { sensor });
  setGauge(meter, 'sensors_dead_letters', deadLetters, { sensor });
  setGauge(meter, 'sensors_lag_seconds', (now - behindSince) / 1000, { sensor });
}
