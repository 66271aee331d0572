/**
 * Compares what the world asked for with what the server and the loops say. Pure.
 *
 * Exact: the runs of each item, the loop's counters of runs, ticks and rejections against the server's runs, the ticks
 * kept and the dead letters, and the duplicates of the last tick.
 * Not exact, and so only bounded: counters of duplicates and failures. How often a sensor looked depends on timing:
 * quiet evaluations and repeated failures leave no tick, and one whose worker was killed leaves nothing at all. The
 * loop keeps 50 ticks, so the books of each tick are checked for those; the older ones are checked by their sum.
 */
import type { TickRecord } from '../../src/sensors/protocol.js';
import { seenItems, type Evidence, type SeenRun, type SensorEvidence } from './evidence.js';
import type { AssetEvent } from '../../src/index.js';
import { ASSET, type Item, type SensorPlan, type World } from './world.js';

export type ProblemKind = 'lost' | 'double' | 'unexpected' | 'dead letters' | 'books' | 'stuck';

export interface Problem {
  readonly kind: ProblemKind;
  readonly sensor: string;
  readonly text: string;
}

export function verify(world: World, { runs, sensors, stuck, made }: Evidence): readonly Problem[] {
  const bySensor = groupBy(runs, ({ sensor }) => sensor ?? '');
  const names = new Set(world.plans.map(({ name }) => name));
  const strangers = runs.filter(({ sensor }) => sensor === undefined || !names.has(sensor));
  const problems = strangers.map(({ workflowId }) =>
    problem('unexpected', '?', `nobody asked for workflow '${workflowId}'`)
  );
  for (const plan of world.plans) {
    const own = bySensor.get(plan.name) ?? [];
    problems.push(...verifyItems(plan, own));
    if (plan.makes) problems.push(...verifyMade(plan, made));
    const evidence = sensors.get(plan.name);
    if (evidence === undefined) problems.push(problem('stuck', plan.name, stuck.get(plan.name) ?? 'no answer'));
    else problems.push(...verifyLoop(plan, own, evidence));
  }
  return problems;
}

/** The asset's log has one event for each item, and its positions have no gaps. */
function verifyMade(plan: SensorPlan, made: readonly AssetEvent[]): readonly Problem[] {
  const count = (n: number): number => made.filter(({ partitionKey }) => partitionKey === String(n)).length;
  const numbers = plan.items.map(({ n }) => n);
  return [
    ...numbers.filter((n) => count(n) === 0).map((n) => problem('lost', plan.name, `no event for item ${n}`)),
    ...numbers.filter((n) => count(n) > 1).map((n) => problem('double', plan.name, `${count(n)} events for item ${n}`)),
    ...different('books', plan.name, [
      ['events in the log', made.length, numbers.length],
      ['their positions', made.map(({ position }) => position).join(), numbers.map((_, index) => index + 1).join()],
    ]),
  ];
}

/** Every good item has exactly one run, which ended well; nothing else ran. */
function verifyItems(plan: SensorPlan, runs: readonly SeenRun[]): readonly Problem[] {
  const problems: Problem[] = [];
  const byItem = groupBy(runs, ({ item }) => item ?? '');
  for (const item of plan.items) {
    const own = byItem.get(String(item.n)) ?? [];
    byItem.delete(String(item.n));
    const { length } = own;
    const what = describeItem(item);
    const ids = own.map(({ workflowId, tick }) => `${workflowId} (tick ${tick})`).join(', ');
    if (item.bad && length > 0) problems.push(problem('unexpected', plan.name, `${what} is bad and ran: ${ids}`));
    if (!item.bad && length === 0) problems.push(problem('lost', plan.name, `${what} has no run`));
    if (!item.bad && length > 1) problems.push(problem('double', plan.name, `${what} has ${length} runs: ${ids}`));
    for (const { job, runKey, status } of own) {
      if (job === item.job && hasKey(plan, item, runKey) && status === 'COMPLETED') continue;
      problems.push(problem('unexpected', plan.name, `${what} became ${job} '${runKey}', which is ${status}`));
    }
  }
  for (const [item, own] of byItem)
    problems.push(problem('unexpected', plan.name, `${own.length} runs for an item '${item}' that does not exist`));
  return problems;
}

/** The position of an event, which its key is made of, depends on who was faster. */
function hasKey({ looks }: SensorPlan, item: Item, runKey: string | undefined): boolean {
  return looks === 'asset' ? (runKey?.startsWith(`${ASSET}@`) ?? false) : runKey === item.runKey;
}

function describeItem({ n, job, runKey }: Item): string {
  return `item ${n} (job ${job}, ${runKey === undefined ? 'no run key' : `run key '${runKey}'`})`;
}

function verifyLoop(plan: SensorPlan, runs: readonly SeenRun[], evidence: SensorEvidence): readonly Problem[] {
  return [
    ...verifyRest(plan, evidence),
    ...verifyDeadLetters(plan, evidence),
    ...verifyCounters(plan, runs, evidence),
    ...verifyTicks(plan, runs, evidence.ticks),
    ...verifyLastTick(plan, evidence.lastTick),
    ...evidence.failedTasks.map((text) => problem('stuck', plan.name, `a workflow task of its loop failed: ${text}`)),
  ];
}

/** Everything has come to its end. */
function verifyRest(plan: SensorPlan, { state }: SensorEvidence): readonly Problem[] {
  return different('stuck', plan.name, [
    ['status', state.status, 'running'],
    ['health', state.health.status, 'ok'],
    ['pending requests', state.pending.count, 0],
    ['waiting events', state.eventsWaiting, 0],
    [
      'items up to its cursor',
      seenItems(state.cursor?.value),
      plan.looks === 'cursor' || plan.looks === 'asset' ? plan.items.length : 0,
    ],
  ]);
}

function verifyDeadLetters(plan: SensorPlan, { state }: SensorEvidence): readonly Problem[] {
  const letters = state.deadLetters.map(({ runKey, payload }) => runKey ?? JSON.stringify(payload)).sort();
  const bad = plan.items
    .filter((item) => item.bad)
    .map(({ n, runKey }) => runKey ?? JSON.stringify({ item: `item ${n} is not a number` }))
    .sort();
  const missing = bad.filter((each) => !letters.includes(each));
  const strange = letters.filter((each) => !bad.includes(each));
  return different('dead letters', plan.name, [
    ['rejected items without a dead letter', missing.join(', '), ''],
    ['dead letters of other things', strange.join(', '), ''],
    ['dead letters', letters.length, bad.length],
    // each rejection that was counted is in one of them
    ['rejections in the dead letters', sum(state.deadLetters, ({ count }) => count), state.counters.rejected],
    ['rejections that found no room', state.counters.deadLettersDropped, 0],
  ]);
}

function verifyCounters(plan: SensorPlan, runs: readonly SeenRun[], { state }: SensorEvidence): readonly Problem[] {
  const { counters } = state;
  const problems = different('books', plan.name, [
    ['runs it counted, and those on the server', counters.runs, runs.length],
    ['ticks it counted, and their numbers', counters.ticks, state.tick],
    ['events that found no room', counters.eventsDropped, 0],
    ...(plan.keyed ? [] : [['duplicates without run keys', counters.duplicates, 0] as const]),
    // a log that is being recovered, or has no worker, cannot be read
    ...(plan.storm || plan.looks === 'asset' ? [] : [['failures in good weather', counters.failures, 0] as const]),
  ]);
  if (plan.looks !== 'events' || counters.events >= plan.items.length) return problems;
  return [...problems, problem('books', plan.name, `it took ${counters.events} of ${plan.items.length} pushed events`)];
}

/** What each tick says it started is what the server has of it. */
function verifyTicks(plan: SensorPlan, runs: readonly SeenRun[], ticks: readonly TickRecord[]): readonly Problem[] {
  const byTick = groupBy(runs, ({ tick }) => tick ?? 0);
  const first = ticks[0]?.tick ?? 0;
  const numbers = ticks.map(({ tick }) => tick);
  const unknown = [...byTick.keys()].filter((tick) => tick >= first && !numbers.includes(tick));
  return [
    ...different('books', plan.name, [
      ['numbers of its ticks', numbers.join(), numbers.map((_, index) => first + index).join()],
      ['ticks that started runs and are not recorded', unknown.join(), ''],
    ]),
    ...ticks.flatMap((record) =>
      different('books', plan.name, [
        [
          `runs of tick ${record.tick}, and those on the server`,
          record.runs.count,
          byTick.get(record.tick)?.length ?? 0,
        ],
        [`whether tick ${record.tick} is over`, record.status === 'started' ? 'no' : 'yes', 'yes'],
        [`whether tick ${record.tick} says it started runs`, record.status === 'success', record.runs.count > 0],
      ])
    ),
  ];
}

/** When all is done, one more look finds nothing to start and knows everything. */
function verifyLastTick(plan: SensorPlan, { runs, duplicates, rejected }: TickRecord): readonly Problem[] {
  const bad = plan.items.filter((item) => item.bad).length;
  const again = plan.looks === 'all';
  return different('books', plan.name, [
    ['runs that only the last tick started', runs.count, 0],
    ['duplicates of the last tick', duplicates.count, again ? plan.items.length - bad : 0],
    ['rejections of the last tick', rejected.count, again ? bad : 0],
  ]);
}

type Comparison = readonly [what: string, found: string | number | boolean, wanted: string | number | boolean];

function different(kind: ProblemKind, sensor: string, comparisons: readonly Comparison[]): Problem[] {
  return comparisons
    .filter(([, found, wanted]) => found !== wanted)
    .map(([what, found, wanted]) =>
      problem(kind, sensor, `${what}: ${found}, should be ${wanted === '' ? 'none' : wanted}`)
    );
}

function problem(kind: ProblemKind, sensor: string, text: string): Problem {
  return { kind, sensor, text };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** `Map.groupBy`, which Node.js 20 does not have. */
function groupBy<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
