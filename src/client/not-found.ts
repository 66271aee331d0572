import { WorkflowNotFoundError } from '@temporalio/client';

const GRPC_NOT_FOUND = 5;

/** Whether an error says that the server has no such workflow: the SDK's own, or the one of a bare gRPC call. */
export function isNotFound(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  return typeof error === 'object' && error !== null && 'code' in error && error.code === GRPC_NOT_FOUND;
}
