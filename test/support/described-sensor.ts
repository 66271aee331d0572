/** A sensor that runs and is well, as the client describes it. */
import type { SensorDescription } from '../../src/client/index.js';

export function describedSensor(name: string, facts: Partial<SensorDescription> = {}): SensorDescription {
  return {
    sensor: name,
    status: 'running',
    statusFrom: 'code',
    health: 'ok',
    intervalMs: 1_000,
    jobs: [],
    pending: 0,
    watches: [],
    deadLetters: 0,
    tags: {},
    owners: [],
    workflowId: `sensor/${name}`,
    runId: 'run',
    taskQueue: 'queue',
    startTime: new Date(0),
    historyLength: 5,
    ...facts,
  };
}
