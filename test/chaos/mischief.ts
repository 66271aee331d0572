/** What is done to a world while it runs: kills and operators, planned from the seed before it begins. */
import type { Client } from '@temporalio/client';
import type { SensorClient } from '../../src/client/index.js';
import { ASSET_LOG_ID_PREFIX } from '../../src/sensors/protocol.js';
import type { ChaosServer, Fleet } from './cluster.js';
import { seenItems } from './evidence.js';
import { persist, sleepUntil } from './patience.js';
import { below, pick, seededRandom, type Random } from './random.js';
import { ASSET, type SensorPlan, type StartedWorld, type World } from './world.js';

/** How long a sensor that an operator stops stays stopped, at most. */
const MAX_STOP_MS = 4_000;
/** How long an operator tries before he gives up. */
const OPERATOR_PATIENCE_MS = 20_000;
/** The same for a log that has not come back. */
const LOG_PATIENCE_MS = 10_000;

type Action =
  | { readonly kind: 'kill worker'; readonly worker: number }
  | { readonly kind: 'kill server' }
  | { readonly kind: 'terminate log' }
  | { readonly kind: 'stop' | 'start' | 'tick' | 'clear cursor'; readonly sensor: string }
  /** Back to this fraction of where it is. */
  | { readonly kind: 'set cursor'; readonly sensor: string; readonly fraction: number };

export interface PlannedAction {
  readonly atMs: number;
  readonly action: Action;
}

export interface MischiefSizes {
  readonly workers: number;
  readonly workerKills: number;
  readonly serverKills: number;
  /** How often somebody terminates the log of the asset. */
  readonly logKills: number;
  /** Things that operators do; a stop and its start are one. */
  readonly operations: number;
  /** Everything is begun by then. */
  readonly mischiefMs: number;
}

export function planMischief(world: World, sizes: MischiefSizes): readonly PlannedAction[] {
  const random = seededRandom(world.seed, 2);
  const { workers, workerKills, serverKills, logKills, operations, mischiefMs } = sizes;
  const planned: PlannedAction[] = [];
  for (const atMs of spread(random, workerKills, mischiefMs))
    planned.push({ atMs, action: { kind: 'kill worker', worker: below(random, workers) } });
  for (const atMs of spread(random, serverKills, mischiefMs)) planned.push({ atMs, action: { kind: 'kill server' } });
  for (const atMs of spread(random, logKills, mischiefMs)) planned.push({ atMs, action: { kind: 'terminate log' } });
  for (const atMs of spread(random, operations, mischiefMs)) planned.push(...planOperation(random, world, atMs));
  return planned.sort((a, b) => a.atMs - b.atMs);
}

/** Moments that are random, but not all at once. */
function spread(random: Random, count: number, withinMs: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => Math.round(((index + random()) / count) * withinMs));
}

function planOperation(random: Random, world: World, atMs: number): readonly PlannedAction[] {
  const plan = pick(random, world.plans);
  const sensor = plan.name;
  const kind = random();
  if (mayGoBack(plan) && kind < 0.5) {
    const action = kind < 0.1 ? ({ kind: 'clear cursor', sensor } as const) : undefined;
    return [{ atMs, action: action ?? { kind: 'set cursor', sensor, fraction: random() } }];
  }
  if (kind > 0.8) return [{ atMs, action: { kind: 'tick', sensor } }];
  const stopMs = Math.round(random() * MAX_STOP_MS);
  return [
    { atMs, action: { kind: 'stop', sensor } },
    { atMs: atMs + stopMs, action: { kind: 'start', sensor } },
  ];
}

/** A keyless request that is asked for again is rightly run again. */
function mayGoBack({ keyed, looks }: SensorPlan): boolean {
  return keyed && looks === 'cursor';
}

export interface Victims {
  readonly server: ChaosServer;
  readonly fleet: Fleet;
  readonly client: Client;
  readonly sensors: SensorClient;
}

/** Does what was planned, each at its time. Returns what operators gave up because nobody answered in time. */
export async function doMischief(
  world: StartedWorld,
  planned: readonly PlannedAction[],
  victims: Victims
): Promise<readonly string[]> {
  const gaveUp: string[] = [];
  let server = Promise.resolve();
  const acts = planned.map(async ({ atMs, action }) => {
    await sleepUntil(world.startAt + atMs);
    if (action.kind === 'kill worker') return victims.fleet.kill(action.worker);
    // one after the other: it has to be up to be killed
    if (action.kind === 'kill server') return (server = server.then(() => victims.server.killAndRestart()));
    if (action.kind === 'terminate log') {
      // it comes back with the next event, or with a sensor that says how far it has read; only then is it there to be terminated
      const log = victims.client.workflow.getHandle(ASSET_LOG_ID_PREFIX + ASSET);
      return await persist(victims.client, action.kind, () => log.terminate('chaos'), LOG_PATIENCE_MS).catch(() =>
        gaveUp.push(action.kind)
      );
    }
    const what = `${action.kind} ${action.sensor}`;
    return persist(victims.client, what, () => operate(victims.sensors, action), OPERATOR_PATIENCE_MS).catch(() =>
      gaveUp.push(what)
    );
  });
  await Promise.all(acts);
  return gaveUp;
}

async function operate(sensors: SensorClient, action: Extract<Action, { readonly sensor: string }>): Promise<void> {
  const { sensor } = action;
  switch (action.kind) {
    case 'stop':
      return await sensors.stop(sensor);
    case 'start':
      return await sensors.start(sensor);
    case 'tick':
      return void (await sensors.tick(sensor));
    case 'clear cursor':
      return void (await sensors.clearCursor(sensor));
    case 'set cursor': {
      const { cursor } = await sensors.state(sensor);
      const seen = Math.floor(seenItems(cursor?.value) * action.fraction);
      return void (await sensors.setCursor(sensor, { seen }));
    }
  }
}

/** Pushes each item of the sensors that are told when it appears, until it has certainly arrived: perhaps twice. */
export async function pushItems(world: StartedWorld, { client, sensors }: Victims, patienceMs: number): Promise<void> {
  const told = world.plans.filter(({ looks }) => looks === 'events');
  await Promise.all(
    told.flatMap(({ name, items }) =>
      items.map(async ({ n, afterMs }) => {
        await sleepUntil(world.startAt + afterMs);
        await persist(client, `push ${n} to ${name}`, () => sensors.push(name, n), patienceMs);
      })
    )
  );
}
