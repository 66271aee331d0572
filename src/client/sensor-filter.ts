/** Which sensors are meant, by what is known of each without asking its loop. Pure. */
import picomatch from 'picomatch';

export interface SensorFilter {
  /** A name, or a glob such as `orders-*`. */
  readonly name?: string | undefined;
  readonly status?: 'running' | 'stopped' | 'closed' | undefined;
  readonly health?: 'ok' | 'failing' | 'notLoaded' | undefined;
  /** Tags that it has, all of them. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** What the filter looks at. */
export interface Filtered {
  readonly sensor: string;
  readonly status: string;
  readonly health: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Whether a sensor has one of the names, which may be globs, and all the tags; none of either asks for nothing. */
export function isChosen(
  names: readonly string[],
  tags: Readonly<Record<string, string>> = {}
): (sensor: Pick<Filtered, 'sensor' | 'tags'>) => boolean {
  const isNamed = names.length === 0 ? () => true : picomatch([...names], { dot: true });
  return (sensor) =>
    isNamed(sensor.sensor) &&
    Object.entries(tags).every(([key, value]) => Object.hasOwn(sensor.tags, key) && sensor.tags[key] === value);
}

/** Whether a sensor is meant; what is left out of the filter matches. */
export function sensorFilter({ name, status, health, tags }: SensorFilter): (sensor: Filtered) => boolean {
  const chosen = isChosen(name === undefined ? [] : [name], tags);
  return (sensor) =>
    chosen(sensor) &&
    (status === undefined || sensor.status === status) &&
    (health === undefined || sensor.health === health);
}
