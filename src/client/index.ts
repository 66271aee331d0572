export { SensorClient, SensorNotFoundError, SensorRejectedError } from './sensor-client.js';
export type { SensorDescription, SensorRun, SensorSummary, SensorWorker } from './sensor-client.js';
export type { EvaluationStatus } from './describe-pending.js';
export type { DeadLetter, Note, SensorState, TickRecord, TickStatus } from '../sensors/protocol.js';
