/** Which sensors a command is for: by name, by glob, by tag. Pure. */
import { isChosen } from '../client/sensor-filter.js';
import { UsageError } from './errors.js';

/** Sensors as people name them. */
export interface Selection {
  /** Names and globs: any of them. */
  readonly names: readonly string[];
  /** `--tag`: all of them. */
  readonly tag?: Readonly<Record<string, string>> | undefined;
  /** `--all` */
  readonly all?: boolean | undefined;
}

/** No sensor is what was named. */
export class NoMatchError extends Error {
  override readonly name = 'NoMatchError';
}

interface Selectable {
  readonly sensor: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** The only sensor, when one is named as it is: it need not be listed. */
export function onlyName({ names, tag, all }: Selection): string | undefined {
  const [name] = names;
  return names.length === 1 && tag === undefined && all !== true && !isGlob(name ?? '') ? name : undefined;
}

/** @throws UsageError for a selection that says nothing, or two things */
export function checkSelection({ names, tag, all }: Selection): void {
  if (all !== true && names.length === 0 && tag === undefined)
    throw new UsageError(`no sensor is named; accepted: names, globs such as 'orders-*', --tag <key>=<value>, --all`);
  if (names.includes('')) throw new UsageError('a name is empty');
  if (all === true && (names.length > 0 || tag !== undefined))
    throw new UsageError('--all goes with neither names nor --tag');
}

/**
 * @throws NoMatchError when a name is none of them, a glob fits none, or nothing is left of them with these tags
 */
export function select<T extends Selectable>(sensors: readonly T[], selection: Selection): T[] {
  const { names, tag = {} } = selection;
  const unknown = names.filter((name) => !sensors.some(isChosen([name], {})));
  if (unknown.length > 0) throw new NoMatchError(describeUnknown(unknown, unknown.length < names.length));
  const found = sensors.filter(isChosen(names, tag));
  if (found.length > 0) return found;
  const wanted = [...names.map((name) => `'${name}'`), ...Object.entries(tag).map(([key, value]) => `${key}=${value}`)];
  throw new NoMatchError(`no sensor matches ${wanted.length === 0 ? 'this' : wanted.join(' ')}`);
}

/** @param hasOthers whether there are sensors that go by other names of the selection */
function describeUnknown(unknown: readonly string[], hasOthers: boolean): string {
  const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
  const globs = unknown.filter(isGlob);
  const names = unknown.filter((name) => !isGlob(name));
  const what = [
    ...(names.length === 0 ? [] : [`there is no sensor ${quoted(names)}`]),
    ...(globs.length === 0 ? [] : [`no sensor matches ${quoted(globs)}`]),
  ].join(', and ');
  return `${what}${hasOthers ? ', so the others are left alone' : ''}`;
}

/** Whatever cannot be a sensor's name. */
function isGlob(name: string): boolean {
  return !/^[A-Za-z0-9_.-]+$/.test(name);
}
