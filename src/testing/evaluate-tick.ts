/** One whole tick without a server: the evaluation and everything that becomes of what it gave. */
import type { NewAssetEvent, TickAssetEvent } from '../sensors/asset-event.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { Json } from '../sensors/json.js';
import type { LogLine } from '../sensors/log-book.js';
import type { LaunchRequest, TickRecord } from '../sensors/protocol.js';
import type { SensorTestContext } from '../sensors/test-context.js';
import * as rules from '../workflows/rules.js';
import { buildSensorContext, partsOf, requireClient } from './context.js';
import type { MadeAssetsOption } from './simulated-assets.js';
import { SimulatedLoop } from './simulated-loop.js';
import type { Thrown } from './simulated-attempt.js';
import { serverOf, stateOf, type KnownKeysOption, type PartitionsOption } from './simulated-state.js';

export interface EvaluateTickOptions {
  /** Run keys that have run: requests with them are duplicates. @default none */
  readonly knownKeys?: KnownKeysOption;
  /** Keys of dynamic partition sets, by name. @default none */
  readonly partitions?: PartitionsOption;
  /** When assets were last made, by name, for requests with `staleOnly`; those with partitions by partition. @default never */
  readonly assets?: MadeAssetsOption;
}

/** A run that a tick starts. */
export interface StartedRun {
  /** Workflow ID of the run. */
  readonly workflowId: string;
  readonly job: string;
  readonly runKey?: string;
  readonly partitionKey?: string;
  /** Names of the assets that the run is to make. Absent: all of the job's. */
  readonly assets?: readonly string[];
  /** As the job receives it: parsed, defaults filled. Absent for a job with `args`. */
  readonly config?: Json;
  /** Arguments of the job's workflow. */
  readonly args: readonly Json[];
  readonly tags: Readonly<Record<string, string>>;
}

/** What a tick came to. */
export interface TickOutcome {
  readonly status: 'success' | 'skipped' | 'failure';
  /** What is started, in order. */
  readonly requests: readonly StartedRun[];
  readonly skipReason?: string;
  /** What is recorded of assets, in order. */
  readonly assetEvents: readonly TickAssetEvent[];
  /** The position that is stored afterwards. */
  readonly cursor: Json | undefined;
  /** Whether the next evaluation comes at once. */
  readonly more: boolean;
  readonly logs: readonly LogLine[];
  readonly rejected: TickRecord['rejected'];
  readonly duplicates: TickRecord['duplicates'];
  /** What the tick says of its failure. */
  readonly error?: string;
  /** What was thrown, with its stack. */
  readonly cause?: unknown;
  /** The whole record, as `sensors ticks --json` shows it. */
  readonly record: TickRecord;
}

/**
 * Evaluates a sensor as a tick does: config and cursor are checked against their schemas, defaults filled, known keys
 * told apart, limits enforced. The context stays as it is. An evaluation that throws is a tick with status `failure`,
 * as in production; `cause` has what was thrown. The timeout does not count.
 *
 * ```ts
 * const { requests, cursor } = await evaluateTick(newFiles, buildSensorContext({ cursor: { mtimeMs: 0 } }));
 * ```
 *
 * @param context from `buildSensorContext`. @default one without options
 * @throws DefinitionError for an unknown option or job; EvaluationError for a context of another making
 */
export async function evaluateTick(
  definition: SensorDefinition,
  context: SensorTestContext = buildSensorContext(),
  options: EvaluateTickOptions = {}
): Promise<TickOutcome> {
  requireSensor(definition, 'evaluateTick');
  refuseUnknownOptions(options, ['knownKeys', 'partitions', 'assets'], 'evaluateTick');
  const { facts, services } = partsOf(context);
  requireClient(definition, services.client, 'evaluateTick');
  const now = facts.now.getTime();
  const requests: LaunchRequest[] = [];
  const assetEvents: TickAssetEvent[] = [];
  let failure: Thrown | undefined;
  const fresh = stateOf(definition, facts.sensorStartedAt.getTime(), { ...options, cursor: facts.cursor?.value });
  const pushed = rules.pushEvents(fresh, facts.events, now);
  const state = {
    ...pushed,
    first: facts.isFirstTickSinceStart,
    tick: facts.tick - 1,
    ...(facts.lastTickAt === undefined ? {} : { lastTickAt: facts.lastTickAt.getTime() }),
    ...(facts.lastRunKey === undefined ? {} : { lastRunKey: facts.lastRunKey }),
  };
  const world = {
    services,
    signal: services.signal,
    sink: () => undefined,
    advance: () => undefined,
    prepare: () => undefined,
    crashes: () => false,
    start: async (request: LaunchRequest) => {
      requests.push(request);
      return 'started' as const;
    },
    recorded: ({ eventId: _, producer: __, ...event }: NewAssetEvent) => void assetEvents.push(event),
    ticked: () => undefined,
    folded: () => undefined,
    failed: (thrown: Thrown) => (failure = thrown),
  };
  const loop = new SimulatedLoop(
    definition,
    world,
    rules.wakeUp(state, 'tick'),
    now,
    serverOf(options.partitions, options.assets)
  );
  await loop.tick();
  const record = loop.state.ring.at(-1) as TickRecord;
  const { status, skipReason, error, logs = [], rejected, duplicates } = record;
  return {
    status: status === 'started' ? 'success' : status,
    requests: requests.map((request) => startedRun(definition, request)),
    ...(skipReason === undefined ? {} : { skipReason }),
    assetEvents,
    cursor: loop.state.cursor?.value,
    more: loop.state.wake === 'more',
    logs,
    rejected,
    duplicates,
    ...(error === undefined ? {} : { error }),
    ...(failure === undefined ? {} : { cause: failure.cause }),
    record,
  };
}

/** A request as the job will see it. */
export function startedRun(
  { jobs }: SensorDefinition,
  { id, job, runKey, partitionKey, assets, args, tags = {} }: LaunchRequest
): StartedRun {
  const { args: toArgs } = jobs.find(({ name }) => name === job) ?? {};
  const [config] = args;
  return {
    workflowId: id,
    job,
    ...(runKey === undefined ? {} : { runKey }),
    ...(partitionKey === undefined ? {} : { partitionKey }),
    ...(assets === undefined ? {} : { assets }),
    ...(toArgs === undefined && config !== undefined ? { config } : {}),
    args,
    tags,
  };
}

/**
 * @throws {@link DefinitionError} when it is not a sensor
 */
export function requireSensor(definition: unknown, place: string): asserts definition is SensorDefinition {
  const isSensor = typeof definition === 'object' && definition !== null && 'kind' in definition;
  if (isSensor && definition.kind === 'sensor') return;
  throw new DefinitionError(`${place} is given ${quote(definition)}; accepted: what defineSensor returned`);
}
