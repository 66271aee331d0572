import { isGrpcServiceError, ServiceError } from '@temporalio/client';

/** Whether one run of a workflow has got all the signals it may get. Temporal has no code of its own for it. See `ErrSignalsLimitExceeded` in the server's `service/history/consts`. */
export function isSignalLimit(error: unknown): boolean {
  if (!(error instanceof ServiceError) || !isGrpcServiceError(error.cause)) return false;
  return error.cause.details.includes('limit for signal events');
}
