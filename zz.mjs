import { z } from 'zod';
import { defineJob, defineSensor } from 'temporal-sensors';
import { simulate } from 'temporal-sensors/testing';
const job = defineJob({ name: 'j', config: z.object({ n: z.number().default(3) }) });
const quiet = defineSensor({ name: 'q', job, interval: '30s', evaluate: (ctx) => ctx.skip('nothing') });
for (let i = 0; i < 3; i++) { const cpu = process.cpuUsage();
await simulate(quiet, { for: 100000 * 30000 });
const c = process.cpuUsage(cpu); console.log(((c.user + c.system) / 1000).toFixed(0), 'ms cpu'); }
