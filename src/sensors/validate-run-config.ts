import type { JobDefinition } from './define-job.js';

/** What does not fit, and where. */
export interface ConfigIssue {
  /** From the config's root: `['files', 0, 'path']`; empty for the config as a whole. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/**
 * Checks a config against a job's schema, as a run request is checked.
 *
 * @returns what does not fit; empty when the job can run with it
 */
export function validateRunConfig(job: JobDefinition, config: unknown): readonly ConfigIssue[] {
  const parsed = job.config.safeParse(config === undefined ? {} : config);
  if (parsed.success) return [];
  return parsed.error.issues.map(({ path, message }) => ({
    path: path.map((part) => (typeof part === 'symbol' ? String(part) : part)),
    message,
  }));
}
