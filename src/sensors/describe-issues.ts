/** What does not fit a zod schema, on one line. Knows nothing of zod: there may be several copies of it in a process. */
import { isObject } from './json.js';

/** What is read of a `ZodError`, of zod 3 or 4. */
export interface Issues {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** The issues of a failed parse: path and expectation, never the value. */
export function describeIssues({ issues }: Issues, root: string): string {
  return issues.map(({ path, message }) => `${[root, ...path.map(String)].join('.')}: ${message}`).join('; ');
}

/** Whether an error is that of a failed parse: its own message is its issues as JSON of many lines. */
export function isIssues(error: Error): error is Error & Issues {
  const { issues } = error as Partial<Issues>;
  return (
    error.name === 'ZodError' &&
    Array.isArray(issues) &&
    issues.every((each) => isObject(each) && Array.isArray(each['path']) && typeof each['message'] === 'string')
  );
}
