/** What both sides of a benchmark call. */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';

/** Counts what happened, for the whole process. */
export const counters = {
  looks: 0,
  stamps: new Map<string, number>(),
  broken: new Map<string, number>(),
  made: new Map<string, number>(),
};

/** 1 KB of config. */
export const CONFIG_TEXT = 'x'.repeat(1000);

export const activities = {
  /** An evaluation that finds nothing. */
  async look(): Promise<readonly string[]> {
    counters.looks++;
    return [];
  },
  /** The same, retried by the server. */
  async lookAgain(intervalMs: number): Promise<void> {
    counters.looks++;
    const failure = ApplicationFailure.create({
      message: 'nothing new',
      nextRetryDelay: intervalMs,
      category: ApplicationFailureCategory.BENIGN,
    });
    failure.stack = '';
    throw failure;
  },
  async requests(prefix: string, count: number): Promise<string[]> {
    return Array.from({ length: count }, (_, n) => `${prefix}:noop:${n}`);
  },
  /** A batch of a big tick, config included. */
  async requestsFrom(
    prefix: string,
    from: number,
    count: number
  ): Promise<{ readonly id: string; readonly config: { readonly text: string } }[]> {
    return Array.from({ length: count }, (_, n) => ({
      id: `${prefix}:noop:${from + n}`,
      config: { text: CONFIG_TEXT },
    }));
  },
  async lookAtEvents(events: readonly string[]): Promise<readonly string[]> {
    return events;
  },
  async stamp(id: string): Promise<void> {
    counters.stamps.set(id, performance.now());
  },
  /** Makes something, and notes when. */
  async make(id: string): Promise<void> {
    counters.made.set(id, performance.now());
  },
  /** Fails, and tells when. */
  async break(id: string): Promise<void> {
    counters.broken.set(id, performance.now());
    throw ApplicationFailure.nonRetryable('broken');
  },
};
export type BenchActivities = typeof activities;
