/** So many messages in so long a time: every event is sent, or counted in exactly one digest. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alertHandlers, type AlertOptions } from '../../../src/alerts/alert-sensor.js';
import type { AlertDigest, AlertEvent, AlertSubject } from '../../../src/alerts/message.js';
import { describeSubject } from '../../../src/alerts/message.js';
import { slackOnRunFailure } from '../../../src/alerts/slack.js';
import type { Memory } from '../../../src/sensors/event-handlers.js';
import { jsonBytes, type Json } from '../../../src/sensors/json.js';
import { buildSensorContext } from '../../../src/testing/index.js';
import { failedRun, healthEvent } from '../../support/alerts.js';

/** A feed with one alert sensor and a clock, as the engine runs it: what a handler that throws did to memory is forgotten. */
class Feed {
  now = Date.parse('2026-01-01T00:00:00Z');
  /** Whether the receiver is down. */
  down = false;
  readonly delivered: { readonly at: number; readonly subject: AlertSubject }[] = [];
  memory: Json | undefined;
  /** Events whose handler has not thrown. */
  accepted = 0;
  readonly #handlers;
  #ctx: ReturnType<typeof buildSensorContext> | undefined;

  constructor(group: AlertOptions['group']) {
    this.#handlers = alertHandlers(group === undefined ? {} : { group }, (_ctx, subject) => {
      if (this.down) return Promise.reject(new Error('down'));
      this.delivered.push({ at: this.now, subject });
      return Promise.resolve();
    });
  }

  async handle(event: AlertEvent): Promise<void> {
    if (await this.#call((ctx, memory) => this.#handlers.handle(ctx, event, memory))) this.accepted++;
  }

  async finish(): Promise<void> {
    if (this.memory !== undefined) await this.#call((ctx, memory) => this.#handlers.finish?.(ctx, memory));
  }

  async #call(handler: (ctx: ReturnType<typeof buildSensorContext>, memory: Memory) => unknown): Promise<boolean> {
    const memory: Memory = { value: structuredClone(this.memory) };
    const now = new Date(this.now);
    const ctx = this.#ctx?.now.getTime() === this.now ? this.#ctx : (this.#ctx = buildSensorContext({ now }));
    const done = await Promise.resolve(handler(ctx, memory)).then(
      () => true,
      () => false
    );
    if (done) this.memory = memory.value === undefined ? undefined : structuredClone(memory.value);
    return done;
  }

  get digests(): readonly AlertDigest[] {
    return this.delivered.map(({ subject }) => subject).filter((subject) => subject.kind === 'digest');
  }

  get held(): number {
    return (this.memory as { held?: { count: number } } | undefined)?.held?.count ?? 0;
  }
}

const MINUTE = 60_000;
const run = (n: number, type = 'job'): AlertEvent => failedRun({ eventId: `${n}`, workflowId: `w${n}`, type });

test('by default 20 in 5 minutes have a message of their own, and one digest counts the others', async () => {
  const feed = new Feed(undefined);
  for (let n = 0; n < 1_000; n++) await feed.handle(run(n, n % 4 === 0 ? 'rare' : 'job'));
  await feed.finish();
  expect(feed.delivered).toHaveLength(20);

  feed.now += 5 * MINUTE;
  await feed.finish();
  expect(feed.delivered).toHaveLength(21);
  const [digest] = feed.digests;
  expect(digest).toMatchObject({ count: 980, others: 0 });
  expect(digest?.counts).toEqual([
    { name: 'rare', what: 'failed', count: 245 },
    { name: 'job', what: 'failed', count: 735 },
  ]);
  expect(digest?.first).toHaveLength(10);
  expect(digest?.first[1]).toBe(
    'job failed (w21): a.csv, line 4, column 4 (quantity): expected a whole number, found "twelve"'
  );
  const message = describeSubject(digest as AlertDigest);
  expect(message.title).toBe('980 more alerts without a message of their own');
  expect(message.lines.map(({ text }) => text).join('\n')).toMatch(
    /245 × rare failed\n735 × job failed[^]*… and 970 more$/
  );

  // and nothing is kept for ever
  feed.now += 5 * MINUTE;
  await feed.finish();
  expect(feed.memory).toBeUndefined();
});

test('a digest that fails is kept, grows, and has another ID once it has grown', async () => {
  const feed = new Feed({ per: '1m', max: 1 });
  for (const n of [1, 2, 3]) await feed.handle(run(n));
  feed.now += MINUTE;
  feed.down = true;
  await feed.finish();
  expect(feed.held).toBe(2);
  await feed.handle(run(4));
  feed.down = false;
  await feed.finish();
  expect(feed.digests).toMatchObject([{ count: 3 }]);
  expect(feed.digests[0]?.eventId).toMatch(/^digest\/.+\/3$/);
});

test('recovered sensors are held and counted like the others', async () => {
  const feed = new Feed({ per: '1m', max: 1 });
  await feed.handle(healthEvent());
  await feed.handle(healthEvent({ change: 'recovered' }));
  feed.now += MINUTE;
  await feed.finish();
  expect(feed.digests).toMatchObject([{ count: 1, counts: [{ name: 'orders', what: 'recovered', count: 1 }] }]);
  expect(describeSubject(feed.digests[0] as AlertDigest).good).toBe(true);
});

test('group: false sends each at once, and what an earlier grouping held', async () => {
  const feed = new Feed({ per: '1h', max: 1 });
  for (const n of [1, 2, 3]) await feed.handle(run(n));
  const ungrouped = new Feed(false);
  ungrouped.memory = feed.memory;
  await ungrouped.handle(run(4));
  await ungrouped.finish();
  expect(ungrouped.digests).toMatchObject([{ count: 3 }]);
  for (let n = 0; n < 50; n++) await ungrouped.handle(run(n));
  expect(ungrouped.delivered).toHaveLength(51);
  expect(ungrouped.memory).toBeUndefined();
});

test('a clock that was ahead holds nothing for longer than a window', async () => {
  const feed = new Feed({ per: '1m', max: 1 });
  feed.now += 60 * MINUTE;
  for (const n of [1, 2]) await feed.handle(run(n));
  feed.now -= 60 * MINUTE;
  await feed.finish();
  feed.now += MINUTE;
  await feed.finish();
  expect(feed.digests).toMatchObject([{ count: 1 }]);
});

test('whatever happens, sent and digested and held are all events, in 8 KB', async () => {
  const name = fc.oneof(
    fc.constantFrom('a', 'b', '"\\'.repeat(100), 'é'.repeat(300), '\u0001'.repeat(90)),
    fc.string()
  );
  const event = fc.record({
    do: fc.constant('event' as const),
    name,
    message: fc.string({ unit: 'binary' }),
    n: fc.nat(30),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: event },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(90_000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('finish' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('outage' as const) }) }
  );
  const max = fc.integer({ min: 1, max: 5 });
  await fc.assert(
    fc.asyncProperty(max, fc.array(step, { maxLength: 40 }), async (max, steps) => {
      const feed = new Feed({ per: '1m', max });
      for (const each of steps) {
        if (each.do === 'wait') feed.now += each.ms;
        else if (each.do === 'outage') feed.down = !feed.down;
        else if (each.do === 'finish') await feed.finish();
        else {
          for (let n = 0; n < each.n; n++) {
            const { name, message } = each;
            await feed.handle(
              failedRun({ eventId: `${n}`, type: `${n}${name}`, workflowId: name, failure: { message } })
            );
          }
        }
        expect(jsonBytes(feed.memory)).toBeLessThanOrEqual(8 * 1024);
      }
      const digested = feed.digests.reduce((sum, { count }) => sum + count, 0);
      const single = feed.delivered.length - feed.digests.length;
      expect(single + digested + feed.held).toBe(feed.accepted);
      for (const { count, counts, others } of feed.digests) {
        expect(counts.reduce((sum, each) => sum + each.count, others)).toBe(count);
      }
      // of twice `max` messages in a row the last is in another window than the first
      feed.delivered.forEach(({ at }, index) => {
        const later = feed.delivered[index + 2 * max];
        if (later !== undefined) expect(later.at - at).toBeGreaterThanOrEqual(MINUTE);
      });
    }),
    { numRuns: 30 }
  );
});

describe('a bad grouping is an error at definition', () => {
  test.each([
    [{ per: '5m', most: 2 }, "group has an unknown option 'most'; accepted: per, max"],
    [{ max: 0 }, 'group.max is 0; accepted: 1 to 1000 messages per window'],
    [{ per: '5 parsecs' }, "group.per is '5 parsecs', which is not a duration"],
    ['5m', "group is '5m'; accepted: { per, max }, or false"],
  ])('%j', (group, message) => {
    expect(() => slackOnRunFailure({ token: 't', channel: 'c', group: group as never })).toThrow(message);
  });
});
