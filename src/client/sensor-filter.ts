/** Which sensors are meant, by what is known of each without asking its loop. Pure. */
export interface SensorFilter {
  /** A name, or a pattern: `*` stands for any characters, `?` for one. */
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

/** What is left out of the filter matches. */
export function matchesFilter(sensor: Filtered, { name, status, health, tags = {} }: SensorFilter): boolean {
  return (
    (name === undefined || patternOf(name).test(sensor.sensor)) &&
    (status === undefined || sensor.status === status) &&
    (health === undefined || sensor.health === health) &&
    Object.entries(tags).every(([key, value]) => Object.hasOwn(sensor.tags, key) && sensor.tags[key] === value)
  );
}

function patternOf(glob: string): RegExp {
  const escaped = glob.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'su');
}
