import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  dailyPartitions,
  defineAsset,
  DefinitionError,
  dynamicPartitions,
  hourlyPartitions,
  staticPartitions,
  weeklyPartitions,
  type PartitionMapping,
  type PartitionSet,
} from '../../src/index.js';
import { partitionsNeeded, type MappedPartitions, type PartitionChoice } from '../../src/sensors/partition-mapping.js';

const later = new Date('2026-06-30T12:00:00Z');
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Los_Angeles',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Kiritimati',
];
const days = dailyPartitions({ start: '2026-03-20' });
const weeks = weeklyPartitions({ start: '2026-03-16' });
const hours = hourlyPartitions({ start: '2026-03-20T00:00Z' });
const regions = staticPartitions(['eu', 'us']);

test('a week is its Monday, and in the set when its Sunday has ended where it is', () => {
  const monday = new Date('2026-03-30T00:00:00Z');
  expect(weeks.keys(monday)).toEqual(['2026-03-16', '2026-03-23']);
  expect(weeks.keys(new Date(monday.getTime() - 1))).toEqual(['2026-03-16']);
  expect(weeklyPartitions({ start: '2026-03-16', includeCurrent: true }).keys(monday)).toHaveLength(3);
  expect(weeklyPartitions({ start: '2026-03-16', end: '2026-03-16' }).keys(monday)).toEqual(['2026-03-16']);
  expect(weeklyPartitions({ start: '2026-03-16', timeZone: 'America/Los_Angeles' }).keys(monday)).toHaveLength(1);
  for (const key of ['2026-03-24', '2026-03-09', '2026-03-30', '2026-W13', ''])
    expect(weeks.has(key, monday)).toBe(false);
  expect(() => weeklyPartitions({ start: '2026-03-17' })).toThrow(
    `weeklyPartitions: start is '2026-03-17'; accepted: a Monday such as '2026-02-02'`
  );
});

test('a week needs those of its days that are in the set', () => {
  const between: MappedPartitions = { upstream: days, downstream: weeks, mapping: 'dayToWeek' };
  expect(partitionsNeeded(between, '2026-03-16')).toEqual(['2026-03-20', '2026-03-21', '2026-03-22']);
  expect(partitionsNeeded(between, '2026-03-23')).toHaveLength(7);
  expect(partitionsNeeded(between, '2026-03-24')).toEqual([]);
  expect(partitionsNeeded(between)).toBe('all');
});

test('a day needs the hours that it has, also where clocks change, and those that it shares with a neighbour', () => {
  const of = (timeZone: string): MappedPartitions => ({
    upstream: hours,
    downstream: dailyPartitions({ start: '2026-03-20', timeZone }),
    mapping: 'hourToDay',
  });
  expect(partitionsNeeded(of('UTC'), '2026-03-29')).toHaveLength(24);
  const spring = partitionsNeeded(of('Europe/Berlin'), '2026-03-29');
  expect(spring).toHaveLength(23);
  expect(spring[0]).toBe('2026-03-28T23:00Z');
  // 5:45 h ahead: midnight is within an hour
  expect(partitionsNeeded(of('Asia/Kathmandu'), '2026-03-29')).toHaveLength(25);
});

/** Two sets with a mapping that fits. */
const pairs = fc.constantFrom(...ZONES).chain((timeZone) =>
  fc.constantFrom<MappedPartitions>(
    { upstream: days, downstream: dailyPartitions({ start: '2026-03-25', end: '2026-04-10' }), mapping: 'same' },
    { upstream: regions, downstream: staticPartitions(['us', 'asia']), mapping: 'same' },
    {
      upstream: dailyPartitions({ start: '2026-03-25', end: '2026-04-26', timeZone }),
      downstream: weeklyPartitions({ start: '2026-03-16', end: '2026-04-20', timeZone }),
      mapping: 'dayToWeek',
    },
    {
      upstream: hourlyPartitions({ start: '2026-04-03T05:00Z', end: '2026-04-06T17:00Z' }),
      downstream: dailyPartitions({ start: '2026-04-02', end: '2026-04-08', timeZone }),
      mapping: 'hourToDay',
    }
  )
);

function keysOf(set: PartitionSet | undefined): readonly string[] {
  return set === undefined || set.type === 'dynamic' ? [] : set.keys(later);
}

test('no day of a week and no hour of a day is left out', () => {
  fc.assert(
    fc.property(pairs, fc.nat(), (between, n) => {
      const up = keysOf(between.upstream);
      const key = up[n % up.length] ?? '';
      const needs = keysOf(between.downstream).filter((each) => partitionsNeeded(between, each).includes(key));
      if (between.mapping !== 'same') expect(needs.length).toBeGreaterThan(0);
    }),
    { numRuns: 30 }
  );
});

test('everything needs everything, whatever has partitions', () => {
  for (const [upstream, downstream] of [
    [days, undefined],
    [undefined, days],
    [regions, weeks],
  ] as const) {
    const between: MappedPartitions = { upstream, downstream, mapping: 'all' };
    expect(partitionsNeeded(between, '2026-03-23')).toBe<PartitionChoice>('all');
  }
});

function mapped(upstream: PartitionSet | undefined, partitions: PartitionSet | undefined, mapping?: unknown) {
  const of = (set: PartitionSet | undefined) => (set === undefined ? {} : { partitions: set });
  const asset = defineAsset({ key: 'up', ...of(upstream) });
  const given = mapping === undefined ? asset : { asset, mapping: mapping as PartitionMapping };
  return defineAsset({ key: 'down', upstream: [given], ...of(partitions) }).upstream[0]?.mapping;
}

test('the mapping is the obvious one, or the one that was said', () => {
  expect(mapped(days, dailyPartitions({ start: '2026-05-01' }))).toBe('same');
  expect(mapped(regions, staticPartitions(['us']))).toBe('same');
  expect(mapped(dynamicPartitions('a'), dynamicPartitions('a'))).toBe('same');
  expect(mapped(undefined, days)).toBe('all');
  expect(mapped(days, undefined)).toBe('all');
  expect(mapped(undefined, undefined)).toBe('all');
  expect(mapped(days, weeks, 'dayToWeek')).toBe('dayToWeek');
  expect(mapped(hours, days, 'hourToDay')).toBe('hourToDay');
  expect(mapped(days, regions, 'all')).toBe('all');
  expect(mapped(regions, staticPartitions(['us', 'asia']), 'same')).toBe('same');
  expect(mapped(dynamicPartitions('a'), dynamicPartitions('b'), 'same')).toBe('same');
});

test.each([
  [days, weeks, undefined, `from daily to weekly partitions; say so: { asset, mapping: 'dayToWeek' or 'all' }`],
  [hours, days, undefined, `mapping: 'hourToDay' or 'all' }`],
  [weeks, days, undefined, `mapping: 'all' }`],
  [regions, staticPartitions(['us', 'asia']), undefined, `mapping: 'same' or 'all' }`],
  [dynamicPartitions('a'), dynamicPartitions('b'), undefined, `mapping: 'same' or 'all' }`],
  [days, dailyPartitions({ start: '2026-03-20', timeZone: 'Asia/Tokyo' }), undefined, `mapping: 'same' or 'all' }`],
  [days, weeks, 'same', `mapping 'same' is between two sets of one kind, not from daily to weekly partitions`],
  [undefined, days, 'same', 'not from no to daily partitions'],
  [regions, staticPartitions(['asia']), 'same', 'keys in common; these have none'],
  [hours, weeks, 'dayToWeek', `mapping 'dayToWeek' is from daily to weekly partitions, not from hourly to weekly`],
  [days, weeklyPartitions({ start: '2026-03-16', timeZone: 'Asia/Tokyo' }), 'dayToWeek', `of one time zone`],
  [days, days, 'identity', `mapping is 'identity'; accepted: 'same', 'dayToWeek', 'hourToDay', 'all'`],
])('a mapping that does not fit is refused (%#)', (upstream, downstream, mapping, message) => {
  const define = (): unknown => mapped(upstream, downstream, mapping);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(`asset 'down': upstream[0] ('up')`);
  expect(define).toThrow(message);
});
