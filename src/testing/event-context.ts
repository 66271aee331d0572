/**
 * Contexts of handlers of events for tests: what `handle` gets, without a worker or a server. A context that is not told
 * its sensor learns it when that sensor's `handle` is called with it; then jobs are checked, and whether it gets such events.
 */
import type { AssetRequest } from '../sensors/asset-requests.js';
import { eventBackfill, eventRequest, handlerContext, type FeedEvent } from '../sensors/call-handler.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { EvaluationContext } from '../sensors/evaluation.js';
import type { EventContextBase } from '../sensors/event-handlers.js';
import { feedOf } from '../sensors/feed-host.js';
import type { GivenBackfillRequest, GivenRequest, RunRequest } from '../sensors/run-request.js';
import { BIND, type EventTestContext } from '../sensors/test-context.js';
import { buildSensorContext, noClient, partsOf, type ContextParts, type SensorTestContextOptions } from './context.js';

/** What contexts of handlers have in common; all may be left out. */
export type EventTestOptions = Pick<
  SensorTestContextOptions<unknown>,
  'resources' | 'now' | 'tick' | 'isFirstTickSinceStart' | 'sensorStartedAt' | 'signal' | 'client'
>;

export const EVENT_TEST_OPTIONS = [
  'resources',
  'now',
  'tick',
  'isFirstTickSinceStart',
  'sensorStartedAt',
  'signal',
  'client',
] as const;

/** A context that does not know its sensor yet, and what it is made of. */
export interface UnboundContext {
  readonly base: EventContextBase;
  readonly parts: ContextParts;
}

/** @param builder name of the function that the author calls */
export function unboundContext(options: EventTestOptions, builder: string): UnboundContext {
  const base = buildSensorContext({ ...options, client: options.client ?? noClient(builder) });
  return { base, parts: partsOf(base) };
}

/** The context of this sensor's own evaluation. */
export function evaluationContextOf(sensor: SensorDefinition, { facts, services }: ContextParts): EvaluationContext {
  return new EvaluationContext(sensor, { ...facts, sensor: sensor.name }, services, undefined);
}

/**
 * What the handler gets.
 *
 * @param check throws for a sensor that never gets such an event
 */
export function eventContext<E extends FeedEvent>(
  unbound: UnboundContext,
  event: E,
  sensor: SensorDefinition | undefined,
  check: (sensor: SensorDefinition, event: E) => void
): EventTestContext {
  const { parts } = unbound;
  const requests: RunRequest[] = [];
  const recorded: AssetRequest[] = [];
  const bound = (definition: SensorDefinition, of: E): EventTestContext => {
    check(definition, of);
    return contextFor(evaluationContextOf(definition, parts), of);
  };
  function contextFor(base: EventContextBase, of: E): EventTestContext {
    const context = {
      ...handlerContext(base, parts.services.signal, recorded),
      run: (request?: GivenRequest) => {
        const made = eventRequest(base, feedOf(base), of, request);
        requests.push(made);
        return made;
      },
      backfill: (request: GivenBackfillRequest) => {
        const made = eventBackfill(base, feedOf(base), of, request);
        requests.push(made);
        return made;
      },
      requests,
      get assetEvents() {
        return recorded.map(({ event: each }) => each);
      },
      get logs() {
        return parts.services.book.lines;
      },
      [BIND]: bound,
    };
    return context;
  }
  return sensor === undefined ? contextFor(unbound.base, event) : bound(sensor, event);
}
