/**
 * Lets each attempt at an evaluation begin a trace of its own. The attempts of an idle sensor are retries of one
 * activity, for as long as it is idle: as children of the activity's span they would all be in one trace.
 */
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { SensorActivities } from '../activities/index.js';
import { TRACE_HEADER } from '../sensors/trace.js';

const EVALUATION: keyof SensorActivities = 'evaluateSensor';

/** To come before the interceptors of OpenTelemetry. */
export const tickTraces: ActivityInterceptorsFactory = ({ info: { activityType } }) =>
  activityType === EVALUATION
    ? {
        inbound: {
          execute: async (input, next) => {
            const { [TRACE_HEADER]: _, ...headers } = input.headers;
            return await next({ ...input, headers });
          },
        },
      }
    : {};
