/**
 * Tells the worker which workflows start and close on it, so that it can wake the sensors that watch runs.
 *
 * It reads the commands of a workflow task as they leave, and adds none: nothing of this is in a history, so workflows
 * that were begun without it replay with it, and the other way round. `SensorsPlugin` puts it into the workflow bundle.
 */
import {
  proxySinks,
  workflowInfo,
  type ConcludeActivationInput,
  type Sinks,
  type WorkflowInterceptors,
} from '@temporalio/workflow';
import type { RunStatus } from '../sensors/status-run.js';

/** What the plugin's worker is told; the SDK says of which workflow. */
export interface RunSinks extends Sinks {
  readonly temporalSensors: { readonly report: (status: RunStatus) => void };
}

const { temporalSensors } = proxySinks<RunSinks>();

type Command = ConcludeActivationInput['commands'][number];

/** The status with which a workflow closes by this command, if it does. */
function closedBy(command: Command): RunStatus | undefined {
  if (command.completeWorkflowExecution != null) return 'completed';
  if (command.failWorkflowExecution != null) return 'failed';
  if (command.cancelWorkflowExecution != null) return 'canceled';
  if (command.continueAsNewWorkflowExecution != null) return 'continuedAsNew';
  return undefined;
}

function report(status: RunStatus): void {
  if (!workflowInfo().unsafe.isReplayingHistoryEvents) temporalSensors.report(status);
}

/** The SDK calls it for each workflow. */
export function interceptors(): WorkflowInterceptors {
  return {
    inbound: [
      {
        // the promise itself is handed on: one more around it would shift the order of commands
        execute(input, next) {
          report('started');
          return next(input);
        },
      },
    ],
    internals: [
      {
        concludeActivation(input, next) {
          const output = next(input);
          for (const command of output.commands) {
            const status = closedBy(command);
            if (status !== undefined) report(status);
          }
          return output;
        },
      },
    ],
  };
}
