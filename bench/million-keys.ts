/** Memory of a million run keys, in a process of its own: `ours` in a sensor's worker, `set` as a Set of texts. */
import { runKeyHash } from '../src/sensors/run-key.js';
import { reyield, stateKb, type Million } from './ledger.js';
import { withBench } from './support.js';

const [what, count] = [process.argv[2], Number(process.argv[3])];

function heapMb(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
}

if (what === 'set') {
  const before = heapMb();
  const keys = new Set<string>();
  for (let n = 0; n < count; n++) keys.add(runKeyHash('noop', `${n}`));
  const mb = heapMb() - before;
  process.send?.({ mb, keys: keys.size });
} else {
  await withBench(async (bench) => {
    // the same with few keys first, so that what every sensor takes is not counted
    let before = 0;
    await reyield(bench, 'few', 10_000, 10_000, () => (before = heapMb()));
    let after = 0;
    const { cold, warm, state } = await reyield(bench, 'million', count, 10_000, () => (after = heapMb()));
    const measured: Million = {
      mb: after - before,
      stateKb: stateKb(state),
      pages: state.ledger.pages.length,
      coldMs: cold,
      warmMs: warm,
    };
    process.send?.(measured);
  });
}
