/**
 * Values from the environment: a marker where the value is written, resolved where it is used.
 *
 * So a definition does not depend on the environment of whoever imports it (a test, the CLI), and what is missing can
 * be named together with what needs it.
 */
import { DefinitionError, quote } from './errors.js';

/** Shared by the ESM and the CommonJS copy of this package. */
const NAME = Symbol.for('temporal-sensors.env');

/** The value of an environment variable, made by {@link env}. */
export interface EnvValue {
  /** Name of the variable. */
  readonly [NAME]: string;
  readonly default: string | undefined;
}

/** `T` as it may be written: with {@link env} in the place of any value. */
export type WithEnv<T> =
  | T
  | EnvValue
  | (T extends (...args: never[]) => unknown ? never : T extends object ? { [K in keyof T]: WithEnv<T[K]> } : never);

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The value of an environment variable, read when it is needed. It is a text: a schema makes a number of it with
 * `z.coerce.number()`.
 *
 * ```ts
 * new SensorsPlugin({ sensors, resourceConfig: { s3: { bucket: env('BUCKET'), region: env('AWS_REGION', 'eu-west-1') } } });
 * ```
 *
 * @param fallback the value when the variable is not set; without it, that is an error where the value is used
 * @throws {@link DefinitionError} when the name or the default is no text
 */
export function env(name: string, fallback?: string): EnvValue {
  if (typeof name !== 'string' || name === '') {
    throw new DefinitionError(`env: the name is ${quote(name)}; accepted: the name of an environment variable`);
  }
  if (fallback !== undefined && typeof fallback !== 'string') {
    throw new DefinitionError(
      `env('${name}'): the default is ${quote(fallback)}; accepted: a text, as the environment has it`
    );
  }
  return Object.freeze({ [NAME]: name, default: fallback });
}

/**
 * `value` with every {@link env} in it, at any depth of arrays and plain objects, replaced by what it stands for.
 *
 * @param place how the error names the value, such as `config` or `sensor 'orders': interval`
 * @throws {@link DefinitionError} naming the first variable that is not set and has no default
 */
export function resolveEnv(value: unknown, place: string, environment: Environment = process.env): unknown {
  return resolve(value, place, environment, new Map());
}

function resolve(value: unknown, place: string, environment: Environment, copies: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isEnv(value)) return read(value, place, environment);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value;
  if (copies.has(value)) return copies.get(value);
  const copy: unknown = Array.isArray(value) ? [] : {};
  copies.set(value, copy);
  for (const [key, item] of Object.entries(value)) {
    const path = Array.isArray(value) ? `${place}[${key}]` : `${place}.${key}`;
    // defineProperty: an own `__proto__` key must stay a key
    Object.defineProperty(copy, key, {
      value: resolve(item, path, environment, copies),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

function read(value: EnvValue, place: string, environment: Environment): string {
  const name = value[NAME];
  const found = environment[name] ?? value.default;
  if (found !== undefined) return found;
  throw new DefinitionError(
    `${place}: the environment variable '${name}' is not set; set it, or give a default: env('${name}', '…')`
  );
}

/** Whether {@link env} made it. */
export function isEnv(value: object): value is EnvValue {
  return NAME in value;
}
