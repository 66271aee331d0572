import { catchUp } from './status.js';
import { withBench } from './support.js';
await withBench(async (bench) => console.log(JSON.stringify(await catchUp(bench))));
