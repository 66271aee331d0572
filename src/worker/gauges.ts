/**
 * How sensors are, as gauges, from the memos of their loops: of those of the worker's task queue all of it, every half
 * minute; of all others in the namespace, at longer intervals, only whether they run, stopped themselves or are closed.
 * Who else should tell of one whose workers are gone?
 *
 * The loop cannot do this itself: a gauge that a workflow sets stays on the worker that had the workflow's last task,
 * and is soon wrong beside that of another worker. So each worker asks the server.
 * Without telemetry nothing is asked.
 */
import type { Client } from '@temporalio/client';
import { noopMetricMeter, type MetricMeter } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { inBatches } from '../client/batches.js';
import { eachWithin } from '../client/each-within.js';
import { listExecutions, type Execution } from '../client/executions.js';
import { isEndedForGood, lastOf, listEnds } from '../client/latest-runs.js';
import { quoted } from '../client/query.js';
import { setGauge } from '../sensors/metrics.js';
import { LOOP_ID_PREFIX, LOOP_TYPE, SENSOR_MEMO, STOPPED_BY_FAILURES, type SensorMemo } from '../sensors/protocol.js';

const OWN_EVERY_MS = 30_000;
/** A random time between the two: workers that a deployment starts at once must not ask at once for ever. */
const ALL_EVERY_MS = { least: 240_000, most: 300_000 };
const CALL_TIMEOUT_MS = 10_000;
const LOOKUPS_AT_ONCE = 20;

/** Whose gauges: a sensor that moves to another task queue has others. */
interface Owner {
  readonly sensor: string;
  readonly taskQueue: string;
}

interface Facts extends Partial<SensorMemo> {
  readonly closed?: boolean;
}

interface Telling {
  readonly client: Client;
  readonly taskQueue: string;
  readonly meter: MetricMeter;
}

export class Gauges {
  readonly #abort = new AbortController();
  /** Sensors of the task queue that have gauges: a meter forgets none, so what is gone is told to be 0. */
  readonly #own: Set<string>;
  /** The same of other task queues. */
  readonly #others = new Map<string, Owner>();
  /** Those of the task queue whose loops are closed. */
  #closed: ReadonlySet<string> = new Set();
  /** Of closed runs: whether they were ended for good. */
  #forGood: ReadonlyMap<string, boolean> = new Map();
  #telling: Promise<unknown> = Promise.resolve();

  /**
   * @param sensors names of the worker's sensors: they have gauges though their loops may be gone
   * @param report told once when gauges begin to stay as they were
   */
  constructor(
    sensors: readonly string[],
    private readonly report: (message: string, error: unknown) => void
  ) {
    this.#own = new Set(sensors);
  }

  start(client: Client, taskQueue: string, meter: MetricMeter): void {
    if (meter === noopMetricMeter || this.#own.size === 0) return;
    const telling = { client, taskQueue, meter: meter.withTags({ namespace: client.options.namespace }) };
    const { least, most } = ALL_EVERY_MS;
    this.#telling = Promise.all([
      this.#repeat(client, 'its task queue', OWN_EVERY_MS, async () => await this.#tellOwn(telling)),
      this.#repeat(
        client,
        'the namespace',
        least + Math.random() * (most - least),
        async () => await this.#tellAll(telling)
      ),
    ]);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#telling;
  }

  async #repeat(client: Client, whose: string, everyMs: number, tell: () => Promise<void>): Promise<void> {
    const { signal } = this.#abort;
    let failed = false;
    while (!signal.aborted) {
      try {
        await client.withAbortSignal(signal, tell);
        failed = false;
      } catch (error) {
        if (!failed && !signal.aborted)
          this.report(
            `the sensors of ${whose} could not be looked up; until they can be, their gauges stay as they were`,
            error
          );
        failed = true;
      }
      await sleep(failed ? OWN_EVERY_MS : everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #tellOwn({ client, taskQueue, meter }: Telling): Promise<void> {
    const query = `WorkflowType = '${LOOP_TYPE}' AND ExecutionStatus = 'Running' AND TaskQueue = ${quoted(taskQueue)}`;
    const listed = await lastOf(this.#each(client, listExecutions(client, query)), LOOP_ID_PREFIX);
    const loops = new Map(listed.map((loop) => [ownerOf(loop).sensor, loop]));
    for (const sensor of loops.keys()) this.#own.add(sensor);
    const own = meter.withTags({ taskQueue });
    for (const sensor of this.#own) {
      const loop = loops.get(sensor);
      // what another application's codec encodes stays unsaid
      if (loop?.unreadable !== undefined) continue;
      setState(own, sensor, loop === undefined ? { closed: this.#closed.has(sensor) } : memoOf(loop));
      setWork(own, sensor, loop === undefined ? {} : memoOf(loop), Date.now());
    }
  }

  async #tellAll({ client, taskQueue, meter }: Telling): Promise<void> {
    const loops = await lastOf(this.#each(client, listEnds(client, LOOP_TYPE)), LOOP_ID_PREFIX);
    const tell = (owner: Owner, facts: Facts): void => {
      if (owner.taskQueue === taskQueue) this.#own.add(owner.sensor);
      else this.#others.set(keyOf(owner), owner);
      setState(meter.withTags({ taskQueue: owner.taskQueue }), owner.sensor, facts);
    };
    for (const loop of loops)
      if (isRunning(loop) && !loop.unreadable && loop.taskQueue !== taskQueue) tell(ownerOf(loop), memoOf(loop));
    const ended = loops.filter((loop) => !isRunning(loop));
    const forGood = await this.#endedForGood(client, ended);
    const closed = ended.filter(({ runId }) => forGood.get(runId) === false).map(ownerOf);
    this.#closed = new Set(closed.filter((each) => each.taskQueue === taskQueue).map(({ sensor }) => sensor));
    // of those ended for good too: workers that are gone told last that they run
    for (const loop of ended) tell(ownerOf(loop), { closed: forGood.get(loop.runId) === false });
    const here = new Set(loops.map((loop) => keyOf(ownerOf(loop))));
    for (const [key, owner] of this.#others) if (!here.has(key)) tell(owner, {});
  }

  /** What was asked of a run is kept, even when the next look-up fails. */
  async #endedForGood(client: Client, ended: readonly Execution[]): Promise<ReadonlyMap<string, boolean>> {
    const known = new Map(ended.flatMap(({ runId }) => entry(runId, this.#forGood.get(runId))));
    this.#forGood = known;
    const asked = ended.filter(({ runId }) => !known.has(runId));
    await inBatches(asked, LOOKUPS_AT_ONCE, async (run) => {
      const deadline = Date.now() + CALL_TIMEOUT_MS;
      known.set(run.runId, await client.withDeadline(deadline, async () => await isEndedForGood(client, run)));
    });
    return known;
  }

  /** With a deadline for each page: many pages, or a slow codec, must not make all of it fail. */
  #each(client: Client, listed: AsyncIterable<Execution>): AsyncIterable<Execution> {
    return eachWithin(client, CALL_TIMEOUT_MS, listed, this.#abort.signal);
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

function isRunning({ status }: Execution): boolean {
  return status.name === 'RUNNING';
}

function memoOf({ memo }: Execution): Partial<SensorMemo> {
  return memo?.[SENSOR_MEMO] ?? {};
}

/** What decides whether somebody must be woken though the sensor's own workers are gone. */
function setState(meter: MetricMeter, sensor: string, { closed = false, status, statusBy }: Facts): void {
  const stoppedItself = status === 'stopped' && statusBy === STOPPED_BY_FAILURES;
  setGauge(meter, 'sensors_running', status === 'running' ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_stopped_itself', stoppedItself ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_closed', closed ? 1 : 0, { sensor });
}

/** What changes with every tick. */
function setWork(meter: MetricMeter, sensor: string, memo: Partial<SensorMemo>, now: number): void {
  const { health, pending = 0, deadLetters = 0, behindSince = now } = memo;
  setGauge(meter, 'sensors_failing', health === 'failing' ? 1 : 0, { sensor });
  setGauge(meter, 'sensors_pending_requests', pending, { sensor });
  setGauge(meter, 'sensors_dead_letters', deadLetters, { sensor });
  setGauge(meter, 'sensors_lag_seconds', (now - behindSince) / 1000, { sensor });
}
