import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  dailyPartitions,
  defineJob,
  DefinitionError,
  dynamicPartitions,
  hourlyPartitions,
  staticPartitions,
  validateRunConfig,
} from '../../src/index.js';
import { applyPartitionRequests } from '../../src/sensors/change-partitions.js';

const noon = new Date('2026-03-29T12:00:00Z');

test('static partitions are what they were defined with', () => {
  const regions = staticPartitions(['eu', 'us']);
  expect(regions.keys(noon)).toEqual(['eu', 'us']);
  expect(regions.has('eu', noon)).toBe(true);
  expect(regions.has('asia', noon)).toBe(false);
});

test('a day is a partition when it has ended where it is', () => {
  const days = dailyPartitions({ start: '2026-03-27' });
  expect(days.keys(noon)).toEqual(['2026-03-27', '2026-03-28']);
  expect(dailyPartitions({ start: '2026-03-27', includeCurrent: true }).keys(noon)).toHaveLength(3);
  expect(dailyPartitions({ start: '2026-03-27', end: '2026-03-27' }).keys(noon)).toEqual(['2026-03-27']);
  // in Auckland it is the 30th already, and the 29th has ended
  expect(dailyPartitions({ start: '2026-03-27', timeZone: 'Pacific/Auckland' }).keys(noon)).toHaveLength(3);
  for (const key of ['2026-03-26', '2026-03-29', '2026-02-30', '2026-3-28', 'yesterday', ''])
    expect(days.has(key, noon)).toBe(false);
});

test('an hour is a partition when it has ended', () => {
  const hours = hourlyPartitions({ start: '2026-03-29T10:00Z' });
  expect(hours.keys(noon)).toEqual(['2026-03-29T10:00Z', '2026-03-29T11:00Z']);
  for (const key of ['2026-03-29T09:00Z', '2026-03-29T12:00Z', '2026-03-29T24:00Z', '2026-03-29T10:30Z', '10'])
    expect(hours.has(key, noon)).toBe(false);
});

test('every key that a calendar set lists is in it, and nothing else of its form', () => {
  const zones = ['UTC', 'Europe/Berlin', 'America/Los_Angeles', 'Asia/Kathmandu'];
  fc.assert(
    fc.property(
      fc.date({ min: new Date('2026-01-02'), max: new Date('2026-12-31'), noInvalidDate: true }),
      fc.constantFrom(...zones),
      (now, timeZone) => {
        const set = dailyPartitions({ start: '2026-01-01', timeZone });
        const keys = set.keys(now);
        expect(keys.every((key) => set.has(key, now))).toBe(true);
        const all = dailyPartitions({ start: '2025-12-01', end: '2027-01-31' }).keys(new Date('2028-01-01'));
        expect(all.filter((key) => set.has(key, now))).toEqual(keys);
      }
    ),
    { numRuns: 50 }
  );
});

test.each([
  [() => staticPartitions([]), 'staticPartitions got []'],
  [() => staticPartitions(['a', 'a']), `has the key 'a' twice`],
  [() => staticPartitions(['']), `a key is ''; accepted: 1 to 256 bytes of text`],
  [() => dailyPartitions({ start: '2026-02-30' }), `start is '2026-02-30'; accepted: a day such as '2026-01-31'`],
  [() => dailyPartitions({ start: '2026-02-01', timeZone: 'Mars/Base' }), `timeZone is 'Mars/Base'`],
  [() => hourlyPartitions({ start: '2026-02-01' }), `start is '2026-02-01'; accepted: an hour`],
  [() => dynamicPartitions('a/b'), `the name of a dynamic partition set is 'a/b'`],
  [() => dynamicPartitions('a').add(['']), `add of partition set 'a' got the key ''`],
  [() => defineJob({ name: 'j', partitions: 'daily' as never }), `job 'j': partitions is 'daily'; accepted: what`],
  [() => defineJob({ name: 'j', tags: { a: 1 as never } }), `job 'j': tags.a is a number; accepted: a text`],
  [() => defineJob({ name: 'j', workflowRunTimeout: 'soon' as never }), `job 'j': workflowRunTimeout is 'soon'`],
  [() => defineJob({ name: 'j', workflowTaskTimeout: '10m' }), `workflowTaskTimeout is '10m', which is out of range`],
  [() => defineJob({ name: 'j', retry: { backoffCoefficient: 0.5 } }), `job 'j': retry is {"backoffCoefficient":0.5}`],
  [() => defineJob({ name: 'j', retry: { maxAttempts: 3 } as never }), `Unrecognized key: "maxAttempts"`],
  [() => defineJob({ name: 'j', retry: { maximumInterval: 10 } }), 'less than its initialInterval'],
  [() => defineJob({ name: 'j', priority: { fairnessKey: 'ü'.repeat(64) } }), 'accepted: 1 to 64 bytes'],
  [
    () => defineJob({ name: 'j', retry: { nonRetryableErrorTypes: ['TemporalTimeout:Foo'] } }),
    `after 'TemporalTimeout:'`,
  ],
  [() => defineJob({ name: 'j', taskQueue: '/_sys/a' }), `not beginning with '/_sys/'`],
  [() => defineJob({ name: 'j', taskQueue: 'q'.repeat(1_001) }), '1 to 1,000 bytes'],
  [() => defineJob({ name: 'j', priority: { priorityKey: 9 } }), `job 'j': priority is {"priorityKey":9}`],
])('a definition is refused: %s', (define, message) => {
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
});

const customers = dynamicPartitions('customers');
const perCustomer = defineJob({ name: 'perCustomer', partitions: customers });
const current = new Map([['customers', ['old', 'gone']]]);

test('a tick sees its own partition changes, and only what changes something is one', () => {
  const requests = [customers.add(['old', 'new']), customers.delete(['gone', 'never'])];
  const { changes, problem } = applyPartitionRequests(requests, current);
  expect(changes).toEqual([{ set: 'customers', add: ['new'], delete: ['gone'] }]);
  expect(problem(perCustomer, 'new', noon)).toBeUndefined();
  expect(problem(perCustomer, 'old', noon)).toBeUndefined();
  expect(problem(perCustomer, 'gone', noon)).toBe(
    `partitionKey was deleted from partition set 'customers' by the same tick`
  );
  expect(problem(perCustomer, 'never', noon)).toMatch(/by the same tick|is not in partition set/);
  expect(problem(perCustomer, 'other', noon)).toBe(
    `partitionKey is not in partition set 'customers'; add it with partitionRequests`
  );
  expect(problem(perCustomer, undefined, noon)).toMatch('partitionKey is missing');
  expect(problem(defineJob({ name: 'plain' }), 'x', noon)).toMatch('has no partitions');
  expect(applyPartitionRequests([customers.add(['old'])], current).changes).toEqual([]);
});

test('a key that one tick adds and deletes, and too many keys, fail it', () => {
  const both = [customers.add(['a']), customers.delete(['a'])];
  expect(() => applyPartitionRequests(both, current)).toThrow(`add and delete key 'a' of set 'customers' in one tick`);
  expect(applyPartitionRequests([customers.add(['a', 'a'])], current).changes).toEqual([
    { set: 'customers', add: ['a'], delete: [] },
  ]);
  const many = Array.from({ length: 7_000 }, (_, n) => `customer-${n}`);
  expect(() => applyPartitionRequests([customers.add(many)], current)).toThrow('64 KB');
});

test('validateRunConfig gives what does not fit, with its path', () => {
  const job = defineJob({
    name: 'j',
    config: z.object({ files: z.array(z.object({ path: z.string() })), n: z.number().default(1) }),
  });
  expect(validateRunConfig(job, { files: [{ path: 'a' }] })).toEqual([]);
  expect(validateRunConfig(job, { files: [{ path: 1 }] })).toEqual([
    { path: ['files', 0, 'path'], message: expect.stringContaining('string') },
  ]);
  expect(validateRunConfig(job, undefined)).toEqual([{ path: ['files'], message: expect.any(String) }]);
});
