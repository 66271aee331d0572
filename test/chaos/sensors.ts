/** The sensors of a world, as an author would write them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import {
  defineAsset,
  defineAssetSensor,
  defineJob,
  defineSensor,
  staticPartitions,
  type SensorDefinition,
} from '../../src/index.js';
import { appeared, ASSET, isStormy, type Item, type SensorPlan, type World } from './world.js';

const HOUR_MS = 3_600_000;
const config = z.object({ item: z.number() });
const jobs = {
  echo: defineJob({ name: 'echo', config }),
  noop: defineJob({ name: 'noop', config }),
  makesItem: defineJob({ name: 'makesItem', config, args: ({ item }) => [{ asset: ASSET, item }] }),
};

/** How long ago the world began; negative before. */
export type Clock = () => Promise<number>;

export function chaosSensors(world: World, clock: Clock): readonly SensorDefinition[] {
  return world.plans.map((plan) => (plan.looks === 'asset' ? reactor(plan) : chaosSensor(world, clock, plan)));
}

/** Asks for a run for each event, by the key that an event gives. */
function reactor({ name, intervalMs, items }: SensorPlan): SensorDefinition {
  return defineAssetSensor({
    name,
    asset: defineAsset({ key: ASSET.split('/'), partitions: staticPartitions(items.map(({ n }) => String(n))) }),
    job: jobs.echo,
    interval: `${intervalMs}ms`,
    defaultStatus: 'running',
    handle: (ctx, { partitionKey: item = '' }) => ctx.run({ config: { item: Number(item) }, tags: { item } }),
  });
}

function chaosSensor(world: World, clock: Clock, plan: SensorPlan): SensorDefinition {
  return defineSensor({
    name: plan.name,
    jobs: [jobs.echo, jobs.noop, jobs.makesItem],
    cursor: z.object({ seen: z.number() }).default({ seen: 0 }),
    events: z.number(),
    interval: `${plan.intervalMs}ms`,
    timeout: plan.storm === 'hangs' ? '1s' : '60s',
    defaultStatus: 'running',
    // a pushed item that is given up would be a lost one
    maxEventAttempts: 1_000,
    runIds: plan.hashedIds ? 'hashed' : 'readable',
    async *evaluate(ctx) {
      if (plan.slowMs !== undefined) await sleep(Math.random() * plan.slowMs, undefined, { signal: ctx.signal });
      const afterMs = await clock();
      const from = plan.looks === 'cursor' ? ctx.cursor.seen : 0;
      const items =
        plan.looks === 'events' ? pushedItems(plan, ctx.events) : plan.items.slice(from, appeared(plan, afterMs));
      const taken = items.slice(0, plan.batch);
      for (const item of taken) yield ctx.run(requestOf(item));
      // before the storm: what a failed evaluation set must not count
      if (plan.looks === 'cursor' && taken.length > 0) ctx.setCursor({ seen: from + taken.length });
      if (isStormy(world, plan, afterMs)) {
        if (plan.storm === 'hangs') await sleep(HOUR_MS, undefined, { signal: ctx.signal });
        throw new Error('the weather is bad');
      }
      if (taken.length < items.length) yield ctx.more();
    },
  });
}

function pushedItems(plan: SensorPlan, events: readonly number[]): readonly Item[] {
  return events.flatMap((n) => plan.items[n] ?? []);
}

function requestOf({ n, job, runKey, bad }: Item) {
  const item = bad ? `item ${n} is not a number` : n;
  return { job: jobs[job], runKey, config: { item: item as number }, tags: { item: String(n) } };
}
