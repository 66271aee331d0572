import { isObject } from './json.js';

/** Tags of runs: texts by name, kept with the run for people to find it by. */
export type Tags = Readonly<Record<string, string>>;

/** What is wrong with tags, or `undefined`. */
export function checkTags(tags: unknown): string | undefined {
  if (!isObject(tags)) return 'tags is not an object of texts';
  const bad = Object.entries(tags).find(([, value]) => typeof value !== 'string');
  return bad === undefined ? undefined : `tags.${bad[0]} is a ${typeof bad[1]}; accepted: a text`;
}
