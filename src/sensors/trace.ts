/**
 * The trace of a tick, where OpenTelemetry is: an attempt at an evaluation is its root, and the runs that it asks for
 * are in it, though the loop starts them later and perhaps in another run of itself.
 *
 * OpenTelemetry's API is one object under a symbol of the global scope, in a worker and in the sandbox of workflows
 * alike, which every copy of it of the same major version shares. So nothing is imported here, and where nobody has
 * installed it nothing happens. Pure: the workflow bundle contains this file.
 */

/** Where `@temporalio/interceptors-opentelemetry` puts the caller's span. */
export const TRACE_HEADER = '_tracer-data';

interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly isRemote?: boolean;
}

interface Context {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): Context;
  deleteValue(key: symbol): Context;
}

interface Api {
  readonly context?: { active(): Context; with<T>(context: Context, work: () => T): T };
}

const API = Symbol.for('opentelemetry.js.api.1');
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN');
/** As in the header `traceparent` of the W3C. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

function contexts(): Api['context'] {
  return (globalThis as { [API]?: Api })[API]?.context;
}

/** The active span as a `traceparent`; `undefined` where nothing is traced. */
export function currentTrace(): string | undefined {
  const span = contexts()?.active().getValue(SPAN) as { spanContext(): SpanContext } | undefined;
  if (span === undefined) return undefined;
  const { traceId, spanId, traceFlags } = span.spanContext();
  const text = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  return isTrace(text) ? text : undefined;
}

export function isTrace(value: unknown): value is string {
  return typeof value === 'string' && TRACEPARENT.test(value);
}

/** Does `work` as a part of that span; without one, as it is. */
export function inTrace<T>(traceparent: string | undefined, work: () => T): T {
  const context = contexts();
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (context === undefined || traceId === undefined || spanId === undefined || flags === undefined) return work();
  const spanContext: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return context.with(context.active().setValue(SPAN, { spanContext: () => spanContext }), work);
}

/** Does `work` as the beginning of a trace of its own. */
export function inNewTrace<T>(work: () => T): T {
  const context = contexts();
  return context === undefined ? work() : context.with(context.active().deleteValue(SPAN), work);
}
