/** The feed of the health of sensors when a tick is cut short. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SensorClient, type SensorDescription, type SensorSummary } from '../../src/client/sensor-client.js';
import { FEED } from '../../src/sensors/feed-host.js';
import { RetryAfterError } from '../../src/index.js';
import { cursorSchema, HealthFeed, type HealthContext } from '../../src/sources/health-feed.js';

const START = Date.parse('2026-01-01T00:00:00Z');
const server = { sensors: [] as unknown[] };

// a server that never changes by itself
beforeEach(() => {
  vi.spyOn(SensorClient.prototype, 'list').mockImplementation(async () => server.sensors as SensorSummary[]);
  vi.spyOn(SensorClient.prototype, 'describe').mockImplementation(
    async (name) => server.sensors.find((each) => (each as SensorDescription).sensor === name) as SensorDescription
  );
});
afterEach(() => void vi.restoreAllMocks());

function sensor(name: string, more: object): object {
  const startTime = new Date(START);
  const evaluation = { phase: 'waiting' };
  const facts = { workflowId: `sensor/${name}`, runId: 'r', deadLetters: 0 };
  const given = { ...facts, status: 'running', taskQueue: 'q', startTime, evaluation };
  return { sensor: name, health: 'ok', ...given, ...more };
}

function recovered(seconds: number): object {
  return { recovered: { failingSince: new Date(START + 1_000), at: new Date(START + 1_000 * seconds) } };
}

/** Ticks a minute apart in which a receiver takes so many events and then asks for a pause of half a minute. */
async function tellAll(cursor: { value: unknown }, perTick: number): Promise<readonly string[]> {
  const told: string[] = [];
  let left = 0;
  const feed = new HealthFeed({
    handlers: {
      handle: (_, { eventId }) => {
        if (left-- <= 0) throw new RetryAfterError('30s', 'too many messages');
        told.push(eventId);
      },
    },
    isWatched: () => true,
    changes: ['failing', 'recovered', 'late', 'notLoaded', 'stoppedItself', 'closed'],
    lateAfterMs: 300_000,
    webUrl: () => undefined,
    maxAttempts: 10,
    handleTimeoutMs: 1_000,
    intervalMs: () => 60_000,
  });
  for (let tick = 0; tick < 20; tick++) {
    left = perTick;
    vi.setSystemTime(Date.now() + 60_000);
    const ctx = {
      sensor: 'watch',
      cursor: cursorSchema.parse(cursor.value),
      events: [],
      signal: new AbortController().signal,
      now: new Date(),
      sensorStartedAt: new Date(START),
      client: { options: { namespace: 'default' } },
      setCursor: (next: unknown) => (cursor.value = JSON.parse(JSON.stringify(next))),
      more: () => ({ kind: 'more' }),
      skip: (reason: string) => ({ kind: 'skip', reason }),
      [FEED]: { deadLetterRoom: 64 * 1024, deadLetters: [], report: () => undefined, scheduledAt: Date.now() },
    };
    await feed.evaluate(ctx as unknown as HealthContext);
  }
  return told.map((id) => id.replace(/\/[^/]*$/, ''));
}

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

test.each([1, 2, 3, 100])('each change is told once when the receiver takes %d at a time', async (perTick) => {
  server.sensors = [
    sensor('c', recovered(9)),
    sensor('again', { ...recovered(7), health: 'failing', failingSince: new Date(START + 20_000) }),
    sensor('a', recovered(5)),
    sensor('broken', { health: 'failing', failingSince: new Date(START + 2_000) }),
    sensor('b', recovered(8)),
  ];
  const told = await tellAll({ value: undefined }, perTick);
  const pairs = ['a', 'again', 'b', 'c'].flatMap((name) => [`${name}/failing`, `${name}/recovered`]);
  expect(told.toSorted()).toEqual([...pairs, 'again/failing', 'broken/failing'].sort());
});

test.each([1, 2])(
  'recoveries that were waited for are told once when the receiver takes %d at a time',
  async (perTick) => {
    const names = ['a', 'b', 'c'];
    const cursor: { value: unknown } = { value: undefined };
    server.sensors = names.map((name) => sensor(name, { health: 'failing', failingSince: new Date(START + 1_000) }));
    expect(await tellAll(cursor, perTick)).toEqual(names.map((name) => `${name}/failing`));
    server.sensors = names.map((name, index) => sensor(name, recovered(2_000 - index)));
    expect((await tellAll(cursor, perTick)).toSorted()).toEqual(names.map((name) => `${name}/recovered`));
  }
);
