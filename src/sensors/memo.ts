/** The memo of a loop: what `list` and `describe` show without asking it. Pure. */
import { PROTOCOL, type LoopState, type SensorMemo } from './protocol.js';

type Facts = Pick<LoopState, 'options' | 'choice' | 'health' | 'deadLetters'> & {
  readonly running: boolean;
  readonly pending: number;
};

export function sensorMemo({ options, choice, health, deadLetters, running, pending }: Facts): SensorMemo {
  return {
    status: running ? 'running' : 'stopped',
    statusFrom: choice === undefined ? 'code' : 'operator',
    ...(choice?.by === undefined ? {} : { statusBy: choice.by }),
    ...(choice?.reason === undefined ? {} : { statusReason: choice.reason }),
    ...(choice?.until === undefined ? {} : { statusUntil: choice.until }),
    health: health.status,
    intervalMs: options.intervalMs,
    pending,
    deadLetters: deadLetters.length,
    jobs: options.jobs,
    ...(options.description === undefined ? {} : { description: options.description }),
    tags: options.tags,
    owners: options.owners,
    options: JSON.stringify(options),
    protocol: PROTOCOL,
  };
}
