import { expect, test } from 'vitest';
import { defineJob, defineSensor, type JobDefinition } from '../../src/index.js';
import type { SensorDefinition } from '../../src/sensors/define-sensor.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import { createRegistry } from '../../src/sensors/registry.js';
import { isWatched, parseInterest, registeredOptions } from '../../src/sensors/run-interest.js';
import { SensorsPlugin } from '../../src/worker/index.js';
import { NudgeLane } from '../../src/worker/nudge-lane.js';

function watcher(
  watchesRuns: SensorDefinition['watchesRuns'],
  jobs: readonly JobDefinition[] = [defineJob({ name: 'b' })]
): SensorDefinition {
  return { ...defineSensor({ name: 'watcher', jobs, evaluate: () => null }), watchesRuns };
}

function interestOf(
  watchesRuns: SensorDefinition['watchesRuns'],
  jobs: readonly JobDefinition[] = [defineJob({ name: 'b' })]
) {
  const definition = watcher(watchesRuns, jobs);
  const other = defineSensor({ name: 'other', job: defineJob({ name: 'a' }), evaluate: () => null });
  return registeredOptions(createRegistry([definition, other]), definition).watchesRuns;
}

test('a status or type that is not watched wakes nobody, and our own workflows only those who name them', () => {
  const any = { statuses: ['failed', 'completed'] } as const;
  expect(isWatched(any, { type: 'job', status: 'failed' })).toBe(true);
  expect(isWatched(any, { type: 'job', status: 'canceled' })).toBe(false);
  expect(isWatched(any, { type: 'sensorLoop', status: 'failed' })).toBe(false);
  expect(isWatched({ ...any, types: ['sensorLoop'] }, { type: 'sensorLoop', status: 'failed' })).toBe(true);
  expect(isWatched({ ...any, types: ['other'] }, { type: 'job', status: 'failed' })).toBe(false);
});

test('the jobs that a sensor watches are those of its whole plugin, and any type where their names find no room', () => {
  expect(interestOf({ statuses: ['failed'], types: 'jobs' })).toEqual({ statuses: ['failed'], types: ['a', 'b'] });
  expect(interestOf({ statuses: ['failed'], types: ['mine'] })).toEqual({ statuses: ['failed'], types: ['mine'] });
  expect(interestOf({ statuses: ['failed'] })).toEqual({ statuses: ['failed'] });
  const many = Array.from({ length: 100 }, (_, n) => defineJob({ name: `${n}-${'x'.repeat(90)}` }));
  expect(interestOf({ statuses: ['failed'], types: 'jobs' }, many)).toEqual({ statuses: ['failed'] });
});

test('a sensor that watches nothing tells its loop the same as before, so that it is not told anew', () => {
  const definition = watcher(undefined);
  expect(registeredOptions(createRegistry([definition]), definition)).toEqual(loopOptions(definition));
});

test('an interest is read from a memo, and whatever else is there is none', () => {
  const text = JSON.stringify({ intervalMs: 1, watchesRuns: { statuses: ['failed', 'exploded'], types: ['a'] } });
  expect(parseInterest(text)).toEqual({ statuses: ['failed'], types: ['a'] });
  for (const other of [undefined, 7, '', 'null', '{', '[]', '{"watchesRuns":null}', '{"watchesRuns":{"statuses":7}}']) {
    expect(parseInterest(other)).toBeUndefined();
  }
});

test('one nudge is on its way and one waits, whatever comes meanwhile; the pauses grow and are left at the end', async () => {
  const sent: number[] = [];
  const pauses: number[] = [];
  const end = new AbortController();
  const lane: NudgeLane<number> = new NudgeLane(
    (item) => {
      sent.push(item);
      return Promise.resolve();
    },
    (ms) => {
      pauses.push(ms);
      if (pauses.length < 6) for (let item = 0; item < 1_000; item++) lane.add(pauses.length * 1_000 + item);
      return Promise.resolve();
    },
    end.signal
  );
  lane.add(0);
  await lane.idle();
  expect(sent).toEqual([0, 1_999, 2_999, 3_999, 4_999, 5_999]);
  expect(pauses).toEqual([200, 400, 800, 1_600, 2_000, 2_000]);
  lane.add(1);
  end.abort();
  lane.add(2);
  await lane.idle();
  expect(sent.at(-1)).toBe(1);
});

test(`the user's sinks and interceptors stay beside those of the plugin`, () => {
  const plugin = new SensorsPlugin({ sensors: [watcher({ statuses: ['failed'] })] });
  const theirs = { log: { fn: () => undefined } };
  const { sinks } = plugin.configureWorker({ taskQueue: 'queue', sinks: { theirs } });
  expect(sinks).toMatchObject({ theirs });
  expect(plugin.configureReplayWorker({ sinks: { theirs } }).sinks).toMatchObject({ theirs });
  expect(Object.keys(sinks ?? {})).toHaveLength(2);
  const bundle = plugin.configureBundler({ workflowsPath: 'workflows.ts', workflowInterceptorModules: ['theirs'] });
  expect(bundle.workflowInterceptorModules).toEqual(['temporal-sensors/workflows/interceptors', 'theirs']);
});
