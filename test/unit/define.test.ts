import { expect, test } from 'vitest';
import { z } from 'zod';
import { DefinitionError, defineJob, defineSensor } from '../../src/index.js';
import { createRegistry } from '../../src/sensors/registry.js';

const job = defineJob({ name: 'job' });
const evaluate = () => null;

test.each([
  [{ name: 'a/b' }, `the name of a sensor is 'a/b'; accepted: 1 to 100 characters of A-Z a-z 0-9 _ . -`],
  [{ name: '' }, `the name of a sensor is ''`],
  [{ name: 'x'.repeat(101) }, 'the name of a sensor is'],
  [
    { interval: '30 sconds' },
    `sensor 's': interval is '30 sconds', which is not a duration; accepted: milliseconds or a text such as '30s'`,
  ],
  [
    { interval: 50 },
    `sensor 's': interval is 50, which is out of range; accepted: milliseconds or a text such as '30s' or '5 minutes', from 100 ms to 30 d`,
  ],
  [{ interval: '31d' }, `sensor 's': interval is '31d', which is out of range`],
  [
    { dedupe: '1m' },
    `dedupe is '1m', which is out of range; accepted: milliseconds or a text such as '30s' or '5 minutes', from 1 h to 3653 d`,
  ],
  [{ interval: Number.NaN }, 'which is not a duration'],
  [{ timeout: 'soon' }, `sensor 's': timeout is 'soon'`],
  [{ minimumInterval: 3 }, `sensor 's' has an unknown option 'minimumInterval'; accepted: name, job, jobs, interval`],
  [{ defaultStatus: 'on' }, `sensor 's': defaultStatus is 'on'; accepted: 'running' or 'stopped'`],
  [{ job, jobs: [job] }, `sensor 's' has both 'job' and 'jobs'`],
  [{ job: 'job' }, `sensor 's': job is 'job'; accepted: what defineJob returned`],
  [{ jobs: [job, defineJob({ name: 'job' })] }, `sensor 's' has two jobs named 'job'`],
  [{ evaluate: undefined }, `sensor 's': evaluate is undefined; accepted: a function or generator`],
  [{ cursor: { type: 'number' } }, `sensor 's': cursor is {"type":"number"}; accepted: a zod schema`],
  [{ cursor: z.object({ n: z.number().catch(0) }) }, `which would reset a stored cursor silently`],
  [{ maxEventAttempts: 0 }, `sensor 's': maxEventAttempts is 0; accepted: 1 to 1000`],
  [{ jitter: 'some' }, `sensor 's': jitter is 'some', which is not a duration`],
  [
    { idleBackoff: '1h' },
    `sensor 's': idleBackoff is '1h'; accepted: { max }, a duration, and min if it is not the interval`,
  ],
  [{ idleBackoff: { maximum: '1h' } }, `sensor 's': idleBackoff has an unknown option 'maximum'; accepted: min, max`],
  [{ failureBackoff: { max: '1s' } }, `sensor 's': failureBackoff.max is '1s', less than its min of 30000 ms`],
  [{ stopAfterFailures: 0 }, `sensor 's': stopAfterFailures is 0; accepted: 1 to 1000`],
  [{ initialCursor: evaluate }, `sensor 's' has initialCursor but no cursor`],
  [{ cursor: z.number(), migrateCursor: 1 }, `sensor 's': migrateCursor is 1; accepted: a function`],
  [{ cursor: z.number().default(0), initialCursor: evaluate }, `has initialCursor and a cursor schema with a default`],
])('defineSensor refuses %o', (options, message) => {
  const define = (): unknown => defineSensor({ name: 's', evaluate, ...options } as never);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
});

test.each([
  [{ name: 'a:b' }, `the name of a job is 'a:b'`],
  [{ name: 'j', conf: z.object({}) }, `job 'j' has an unknown option 'conf'`],
  [{ name: 'j', taskQueue: '' }, `job 'j': taskQueue is ''`],
  [{ name: 'j', args: [] }, `job 'j': args is []`],
])('defineJob refuses %o', (options, message) => {
  expect(() => defineJob(options as never)).toThrow(message);
});

test('a registry has each sensor and each job once', () => {
  const a = defineSensor({ name: 'a', job, evaluate });
  expect(() => createRegistry([a, defineSensor({ name: 'a', evaluate })])).toThrow(`two sensors are named 'a'`);
  expect(() => createRegistry([a, defineSensor({ name: 'b', job: defineJob({ name: 'job' }), evaluate })])).toThrow(
    `two jobs are named 'job' (one of them in sensor 'b')`
  );
  expect(() => createRegistry([a], 'a/')).toThrow(`prefix is 'a/'`);
  expect([...createRegistry([a], 'p-').sensors.keys()]).toEqual(['p-a']);
});

test('jitter is the same share of time for a sensor each time, and another one for another', () => {
  const interval = (name: string): number => defineSensor({ name, interval: '10s', jitter: '5s', evaluate }).intervalMs;
  const all = Array.from({ length: 50 }, (_, n) => interval(`sensor-${n}`));
  expect(all).toEqual(Array.from({ length: 50 }, (_, n) => interval(`sensor-${n}`)));
  expect(new Set(all).size).toBeGreaterThan(45);
  expect(Math.min(...all)).toBeGreaterThanOrEqual(10_000);
  expect(Math.max(...all)).toBeLessThan(15_000);
});

test('defaults are those of the documentation, and definitions are frozen', () => {
  const sensor = defineSensor({ name: 's', evaluate });
  expect(sensor).toMatchObject({
    intervalMs: 30_000,
    timeoutMs: 60_000,
    defaultStatus: 'stopped',
    jobs: [],
    runIds: 'readable',
  });
  expect(Object.isFrozen(sensor)).toBe(true);
});
