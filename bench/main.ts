/**
 * `npm run bench -- quiet|launch|push|ledger|bigtick|status|assets|list|s3|simulate [--json]`: ours and the hand-written way, in one run and
 * on one server where there is one.
 *
 * Absolute times on a shared machine mean little; the ratios are what to look at.
 */
import { Command } from 'commander';
import { assets } from './assets.js';
import { bigtick } from './bigtick.js';
import { launch } from './launch.js';
import { ledger } from './ledger.js';
import { list } from './list.js';
import { push } from './push.js';
import { quiet } from './quiet.js';
import { s3 } from './s3.js';
import { simulate } from './simulate.js';
import { status } from './status.js';
import { withBench, type Bench, type Result } from './support.js';

const BENCHES: Readonly<Record<string, (bench: Bench) => AsyncGenerator<Result>>> = {
  quiet,
  launch,
  push,
  ledger,
  bigtick,
  status,
  assets,
  list,
};
const WITHOUT_SERVER: Readonly<Record<string, () => AsyncGenerator<Result>>> = { s3, simulate };
const NAMES = [...Object.keys(BENCHES), ...Object.keys(WITHOUT_SERVER)].join(', ');

await new Command('bench')
  .argument('<bench>', `one of ${NAMES}`)
  .option('--json', 'one object a line, one line a case')
  .action(async (name: string, { json }: { json?: boolean }) => {
    const print = async (results: AsyncGenerator<Result>): Promise<void> => {
      for await (const result of results) console.log(json === true ? JSON.stringify(result) : describe(result));
    };
    const alone = WITHOUT_SERVER[name];
    if (alone !== undefined) return await print(alone());
    const run = BENCHES[name];
    if (run === undefined) throw new Error(`there is no benchmark '${name}'; accepted: ${NAMES}`);
    await withBench((bench) => print(run(bench)));
  })
  .parseAsync();

function describe({ bench, case: case_, unit, ours, handWritten, ratio, ...more }: Result): string {
  const rest = Object.entries(more).map(([name, value]) => `${name} ${value}`);
  return `${bench} · ${case_}: ours ${ours} ${unit}, by hand ${handWritten} ${unit}, ratio ${ratio}${rest.map((text) => ` · ${text}`).join('')}`;
}
