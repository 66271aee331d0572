/** What the testing toolkit's virtual clock costs a tick, against a bare loop that only calls the author's function. */
import { defineJob, defineSensor } from 'temporal-sensors';
import { simulate as simulateSensor } from 'temporal-sensors/testing';
import { round, type Result } from './support.js';

const TICKS = 100_000;
const INTERVAL_MS = 30_000;
/** A new item comes so often. */
const NEWS_EVERY = 1_000;

export async function* simulate(): AsyncGenerator<Result> {
  yield await measure('100 000 ticks', Number.POSITIVE_INFINITY);
  yield await measure('100 000 ticks, 100 with a run', NEWS_EVERY);
}

/** A context as somebody would write it by hand: nothing is checked or kept. */
const bare = {
  skip: (reason: string) => ({ kind: 'skip', reason }),
  run: (request: object) => ({ kind: 'run', ...request }),
};

/** The best of three: the first one compiles. */
async function measure(name: string, newsEvery: number): Promise<Result> {
  let looks = 0;
  const sensor = defineSensor({
    name: 'simulated',
    job: defineJob({ name: 'noop' }),
    interval: INTERVAL_MS,
    evaluate(ctx) {
      if (++looks % newsEvery !== 0) return ctx.skip('nothing new');
      return ctx.run({ runKey: `item ${looks}` });
    },
  });
  let ours = 0;
  let byHand = 0;
  for (let round_ = 0; round_ < 3; round_++) {
    ours = Math.max(
      ours,
      await perSecond(async () => {
        const { ticks, quietTicks } = await simulateSensor(sensor, { for: TICKS * INTERVAL_MS });
        if (ticks.length + quietTicks !== TICKS) throw new Error(`${ticks.length + quietTicks} ticks`);
      })
    );
    byHand = Math.max(
      byHand,
      await perSecond(async () => {
        let runs = 0;
        for (let tick = 0; tick < TICKS; tick++) {
          const given = sensor.evaluate({ ...bare, now: new Date(tick * INTERVAL_MS) } as never);
          if (given.kind === 'run') runs++;
        }
        return runs;
      })
    );
  }
  return {
    bench: 'simulate',
    case: name,
    unit: 'ticks/s',
    ours: round(ours),
    handWritten: round(byHand),
    ratio: round(ours / byHand),
    seconds: round(TICKS / ours),
  };
}

async function perSecond(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return (TICKS * 1000) / (performance.now() - began);
}
