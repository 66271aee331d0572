/**
 * What a worker measures: every metric, under the name it is exported with, and its own labels.
 *
 * Values of labels are bounded: names of sensors and assets, and the words that are listed here; never a run key, a
 * workflow ID or a text. Names carry their suffix themselves, so that they are the same behind a Prometheus endpoint and
 * an OpenTelemetry collector. Pure: the workflow bundle contains this file.
 */
import type { MetricMeter } from '@temporalio/common';

export interface Metric {
  readonly kind: 'counter' | 'histogram' | 'gauge';
  readonly labels: readonly string[];
  /** What a value says, in one sentence. */
  readonly help: string;
}

export const METRICS = {
  sensors_ticks_total: {
    kind: 'counter',
    labels: ['sensor', 'outcome', 'folded'],
    help: 'Ticks that ended. A tick that folded left no history.',
  },
  sensors_requests_total: {
    kind: 'counter',
    labels: ['sensor', 'outcome', 'folded'],
    help: 'Run requests, by what became of them. Pushed events that do not fit count as rejected.',
  },
  sensors_evaluation_duration_milliseconds: {
    kind: 'histogram',
    labels: ['sensor'],
    help: 'How long an evaluation took.',
  },
  sensors_evaluation_lateness_milliseconds: {
    kind: 'histogram',
    labels: ['sensor'],
    help: 'From when an evaluation was due to when it began.',
  },
  sensors_run_keys: { kind: 'gauge', labels: ['sensor'], help: 'Run keys that are remembered.' },
  sensors_running: {
    kind: 'gauge',
    labels: ['sensor'],
    help: '1 when the sensor runs, 0 when it is stopped or its loop is closed.',
  },
  sensors_stopped_itself: {
    kind: 'gauge',
    labels: ['sensor'],
    help: '1 while the sensor is stopped by its stopAfterFailures, else 0.',
  },
  sensors_closed: {
    kind: 'gauge',
    labels: ['sensor'],
    help: '1 while its loop is cancelled or terminated, else 0.',
  },
  sensors_failing: { kind: 'gauge', labels: ['sensor'], help: '1 while the evaluations fail, else 0.' },
  sensors_pending_requests: {
    kind: 'gauge',
    labels: ['sensor'],
    help: 'Accepted requests that a stop or maxRunsPerTick holds back.',
  },
  sensors_dead_letters: {
    kind: 'gauge',
    labels: ['sensor'],
    help: 'Rejected requests and events kept for a decision.',
  },
  sensors_lag_seconds: {
    kind: 'gauge',
    labels: ['sensor'],
    help: 'Age of the oldest event that is still to be handled; 0 for a sensor that is not fed by events.',
  },
  sensors_asset_events_total: { kind: 'counter', labels: ['asset'], help: 'Events that were recorded for an asset.' },
} as const satisfies Readonly<Record<string, Metric>>;

type Metrics = typeof METRICS;
type NameOf<Kind extends Metric['kind']> = {
  [Name in keyof Metrics]: Metrics[Name]['kind'] extends Kind ? Name : never;
}[keyof Metrics];
type Labels<Name extends keyof Metrics> = Readonly<Record<Metrics[Name]['labels'][number], string>>;

/** Outcomes of ticks and of requests. */
export type TickOutcome = 'success' | 'skipped' | 'failure';
export type RequestOutcome = 'started' | 'duplicate' | 'rejected';

/** Adds to a counter, if there is something to add. */
export function count<Name extends NameOf<'counter'>>(
  meter: MetricMeter,
  name: Name,
  value: number,
  labels: Labels<Name>
): void {
  if (value > 0) meter.createCounter(name, undefined, METRICS[name].help).add(value, labels);
}

/** Adds a duration to a histogram; clocks that disagree give no negative one. */
export function observe<Name extends NameOf<'histogram'>>(
  meter: MetricMeter,
  name: Name,
  ms: number,
  labels: Labels<Name>
): void {
  meter.createHistogram(name, 'int', undefined, METRICS[name].help).record(Math.max(0, Math.round(ms)), labels);
}

export function setGauge<Name extends NameOf<'gauge'>>(
  meter: MetricMeter,
  name: Name,
  value: number,
  labels: Labels<Name>
): void {
  meter.createGauge(name, 'float', undefined, METRICS[name].help).set(Math.max(0, value), labels);
}
