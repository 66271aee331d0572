/**
 * Resources for job activities: the same instances that the sensors of the worker have.
 *
 * Activities are defined before there is a worker, so what `withResources` gives only says which resources it wants;
 * `SensorsPlugin` binds it to those of its worker. Two workers of one process have each their own.
 */
import type { BuiltResources, Resources } from './define-resource.js';
import { DefinitionError, quote } from './errors.js';
import { collectResources } from './resource-names.js';

/** Shared by the ESM and the CommonJS copy of this package. */
const WANTS = Symbol.for('temporal-sensors.withResources');

/** An activity that takes resources before its arguments. */
export interface ResourceActivity {
  readonly resources: Resources;
  readonly call: (built: Readonly<Record<string, unknown>>, args: readonly unknown[]) => unknown;
}

/** The activities as workflows call them: without the resources, always async. */
export type ActivitiesWithResources<A> = {
  readonly [K in keyof A]: A[K] extends (resources: never, ...args: infer P) => infer T
    ? (...args: P) => Promise<Awaited<T>>
    : never;
};

/**
 * Activities that get resources before their own arguments.
 *
 * ```ts
 * export const activities = withResources({ s3 }, {
 *   async download({ s3 }, key: string): Promise<string> { … },
 * });
 * // workflows.ts: proxyActivities<typeof activities>({ … }).download('a.csv')
 * // worker.ts: Worker.create({ activities, plugins: [new SensorsPlugin({ sensors, resourceConfig })], … })
 * ```
 *
 * A resource of a worker is the same instance in its sensors and its activities; a tick-scoped one is made for each
 * execution of an activity. One that cannot be created fails the activity, which Temporal retries.
 *
 * @throws {@link DefinitionError} for what is no resource and what is no function
 */
export function withResources<
  const R extends Resources,
  A extends Readonly<Record<string, (resources: BuiltResources<R>, ...args: never[]) => unknown>>,
>(resources: R, activities: A): ActivitiesWithResources<A> {
  collectResources([{ place: 'withResources', resources }]);
  if (typeof activities !== 'object' || activities === null) {
    throw new DefinitionError(`withResources: activities is ${quote(activities)}; accepted: an object of functions`);
  }
  const wrapped = Object.entries(activities).map(([name, activity]) => {
    if (typeof activity !== 'function') {
      throw new DefinitionError(`withResources: activity '${name}' is ${quote(activity)}; accepted: a function`);
    }
    const wants: ResourceActivity = {
      resources,
      call: (built, args) => Reflect.apply(activity, activities, [built, ...args]),
    };
    const unbound = (): Promise<never> =>
      Promise.reject(
        new DefinitionError(
          `activity '${name}' needs resources (${Object.keys(resources).join(', ')}), but no SensorsPlugin gave it any; ` +
            `give its worker one: Worker.create({ activities, plugins: [new SensorsPlugin({ sensors })] })`
        )
      );
    return [name, Object.assign(unbound, { [WANTS]: wants })];
  });
  return Object.fromEntries(wrapped) as ActivitiesWithResources<A>;
}

/** What an activity wants, if {@link withResources} made it. */
export function wantedResources(activity: unknown): ResourceActivity | undefined {
  return typeof activity === 'function' && WANTS in activity ? (activity[WANTS] as ResourceActivity) : undefined;
}
