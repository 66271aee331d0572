/** Gives the activities made by `withResources` the instances of their worker. */
import { Context } from '@temporalio/activity';
import { ResourceError } from '../sensors/describe-error.js';
import type { ResourceContainer } from '../sensors/resource-container.js';
import type { ResourceUse } from '../sensors/resource-names.js';
import { wantedResources } from '../sensors/with-resources.js';

type Activities = Readonly<Record<string, unknown>>;

/** Which activities name which resources. */
export function resourceUses(activities: Activities): readonly ResourceUse[] {
  return Object.entries(activities).flatMap(([name, activity]) => {
    const wanted = wantedResources(activity);
    return wanted === undefined ? [] : [{ place: `activity '${name}'`, resources: wanted.resources }];
  });
}

/** The same activities; those that want resources get them from `container`. */
export function bindResources(activities: Activities, container: ResourceContainer): Activities {
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => {
      const wanted = wantedResources(activity);
      if (wanted === undefined) return [name, activity];
      const bound = async (...args: unknown[]): Promise<unknown> => {
        const { cancellationSignal: signal } = Context.current();
        try {
          return await container.use(wanted.resources, signal, (built) => wanted.call(built, args));
        } catch (error) {
          // Temporal knows a cancelled activity by this reason
          throw error instanceof ResourceError && signal.aborted ? signal.reason : error;
        }
      };
      return [name, bound];
    })
  );
}
