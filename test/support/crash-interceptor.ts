/** Tells the worker, before a workflow task is completed, which step of a tick the loop takes in it. */
import { proxySinks, workflowInfo, type Sinks, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

export interface CrashSinks extends Sinks {
  readonly crash: { step(step: string): void };
}

const { crash } = proxySinks<CrashSinks>();

export const interceptors: WorkflowInterceptorsFactory = () => {
  let starts = 0;
  return {
    inbound: [
      {
        execute: async (input, next) => {
          if (workflowInfo().continuedFromExecutionRunId !== undefined) crash.step('after continue-as-new');
          return await next(input);
        },
      },
    ],
    outbound: [
      {
        startChildWorkflowExecution: async (input, next) => {
          crash.step(`start ${++starts}`);
          return await next(input);
        },
        continueAsNew: async (input, next) => {
          crash.step('before continue-as-new');
          return await next(input);
        },
      },
    ],
  };
};
