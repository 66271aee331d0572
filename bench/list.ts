/** What `sensors list` costs, against the least that can show as much: a list of the loops and a description of each. */
import { createColors } from 'picocolors';
import { listLines } from '../src/cli/commands/list.js';
import { inBatches } from '../src/client/batches.js';
import { SensorClient } from '../src/client/index.js';
import { LOOP_TYPE } from '../src/sensors/protocol.js';
import { quietSensors } from './quiet.js';
import { median, round, until, type Bench, type Result } from './support.js';

const DESCRIBES_AT_ONCE = 50;
const ROUNDS = 7;

export async function* list(bench: Bench): AsyncGenerator<Result> {
  // a few first: what is fixed weighs more
  for (const count of [100, 1_000]) yield await listOf(bench, count);
}

async function listOf(bench: Bench, count: number): Promise<Result> {
  let evaluations = 0;
  const sensors = quietSensors(count, () => void evaluations++, '1h');
  return await bench.withWorker(sensors, async () => {
    const client = new SensorClient(bench.client);
    await until(async () => evaluations >= count && (await waiting(client)) === count, 1_000);
    const ours: number[] = [];
    const bare: number[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      bare.push(await timed(() => byHand(bench)));
      ours.push(await timed(() => shown(bench, client)));
    }
    const visibilityMs = await timed(() => client.list());
    await inBatches(sensors, DESCRIBES_AT_ONCE, ({ name }) => client.prune(name));
    return {
      bench: 'list',
      case: `${count} sensors`,
      unit: 'ms',
      ours: round(median(ours)),
      handWritten: round(median(bare)),
      ratio: round(median(ours) / median(bare)),
      visibilityMs: round(visibilityMs),
    };
  });
}

/** Sensors that have ticked and wait for the next time. */
async function waiting(client: SensorClient): Promise<number> {
  return (await client.describeAll()).filter(({ lastTick }) => lastTick !== undefined).length;
}

/** The whole of the command but its connection: filtered, described, laid out. */
async function shown(bench: Bench, client: SensorClient): Promise<void> {
  const sensors = await client.describeAll({ status: 'running' });
  listLines(sensors, {}, { namespace: bench.client.options.namespace, address: '' }, createColors(false));
}

async function byHand({ client }: Bench): Promise<void> {
  const ids: string[] = [];
  const query = `WorkflowType = '${LOOP_TYPE}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId);
  await inBatches(ids, DESCRIBES_AT_ONCE, async (id) => client.workflow.getHandle(id).describe());
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}
