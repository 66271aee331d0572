/** Keeps the texts of errors that an author's code throws out of what activities report; the worker's log has them. */
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { ResourceError, withRedaction } from '../sensors/describe-error.js';

/** To come before the activity's own code; around every activity, because those of jobs use resources too. */
export const redactErrors: ActivityInterceptorsFactory = ({ log }) => ({
  inbound: {
    execute: (input, next) =>
      withRedaction(
        (id, thrower, error) => log.error(`error ${id}: ${thrower} threw`, { errorId: id, error }),
        async () => {
          try {
            return await next(input);
          } catch (error) {
            throw error instanceof ResourceError ? withoutCause(error) : error;
          }
        }
      ),
  },
});

/** The SDK reports causes, and the stack of an error begins with its text. */
function withoutCause(error: ResourceError): ResourceError {
  const bare = new ResourceError(error.resource, undefined, error.why);
  bare.stack = '';
  return bare;
}
