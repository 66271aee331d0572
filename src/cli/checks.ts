/** What `sensors doctor` makes of what it found: each check one line, with what to do. Pure. */
import { isGone } from '../client/gone-workers.js';
import type { SensorDescription, SensorWorker } from '../client/index.js';
import { STOPPED_BY_FAILURES } from '../sensors/protocol.js';
import { count, formatDuration, plain, relative } from '../sensors/text.js';

export interface Check {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
  readonly todo?: string;
  /** Names of those concerned. */
  readonly sensors?: readonly string[];
}

/** Beyond it, `--until` and a start's time are off by something that people notice. */
const WARN_SKEW_MS = 5_000;
const FAIL_SKEW_MS = 60_000;
const SHORT_RETENTION_MS = 86_400_000;
/** An idle worker asks again at least once a minute. */
const LATE_MS = 120_000;

/** @param skewMs server against client; undefined: not known */
export function checkClock(skewMs: number | undefined): Check {
  const check = 'clock';
  if (skewMs === undefined)
    return {
      check,
      status: 'warn',
      message: 'the clock of the server could not be read (that takes the right to poll a task queue)',
    };
  const size = Math.abs(skewMs);
  const message =
    size < 1_000
      ? 'client and server agree'
      : `the server's clock is ${formatDuration(size)} ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's`;
  if (size < WARN_SKEW_MS) return { check, status: 'ok', message };
  const todo = `set the clock of this machine by NTP, or that of the server: --until and --for mean the server's time`;
  return { check, status: size < FAIL_SKEW_MS ? 'warn' : 'fail', message, todo };
}

/** How long closed workflows are kept, against what sensors remember themselves. */
export function checkRetention(retentionMs: number | undefined, sensors: readonly SensorDescription[]): Check[] {
  if (retentionMs === undefined || retentionMs === 0)
    return [
      { check: 'retention', status: 'warn', message: 'the namespace does not say how long it keeps closed runs' },
    ];
  const kept = formatDuration(retentionMs);
  const short = retentionMs < SHORT_RETENTION_MS;
  const retention: Check = {
    check: 'retention',
    status: short ? 'warn' : 'ok',
    message: `closed workflows are kept for ${kept}; a sensor that was cancelled or terminated comes back with its cursor within that time`,
    ...(short ? { todo: 'give the namespace a retention of a day or more' } : {}),
  };
  const briefly = sensors.filter(({ dedupeMs }) => dedupeMs !== undefined && dedupeMs < retentionMs);
  if (briefly.length === 0) return [retention, { check: 'dedupe', status: 'ok', message: 'no key is forgotten early' }];
  const dedupe: Check = {
    check: 'dedupe',
    status: 'warn',
    message: `${named(briefly)}: dedupe is shorter than the retention, and Temporal refuses the IDs of runs that it keeps`,
    todo: `expect a key to run again only after ${kept}, or make the retention shorter`,
    sensors: namesOf(briefly),
  };
  return [retention, dedupe];
}

/** @param attributes types of the registered ones by name, or why they could not be listed */
export function checkSearchAttributes(
  attributes: ReadonlyMap<string, string> | { readonly refused: string },
  tags: readonly string[]
): Check {
  const check = 'searchAttributes';
  if ('refused' in attributes)
    return {
      check,
      status: 'warn',
      message: `the credentials may not list search attributes: ${attributes.refused}`,
      todo: `allow it to the workers' credentials if runs should be found by their tags; nothing else depends on it`,
    };
  const unfit = tags.filter((tag) => (attributes.get(tag) ?? 'Keyword') !== 'Keyword');
  if (unfit.length > 0)
    return {
      check,
      status: 'warn',
      message: `${list(unfit)}: registered, but not as Keyword, so that tags do not fit`,
      todo: 'rename the tags, or remove the attributes and run: sensors setup',
    };
  const missing = tags.filter((tag) => !attributes.has(tag));
  if (missing.length === 0)
    return {
      check,
      status: 'ok',
      message: tags.length === 0 ? 'no run carries tags' : `runs are found by ${list(tags)}`,
    };
  return {
    check,
    status: 'ok',
    message: `runs are not found by their tags ${list(missing)}`,
    todo: 'if they should be: sensors setup',
  };
}

/**
 * @param pollers who polls each task queue of a sensor that is not closed, seen last first
 * @param now by the server's clock
 */
export function checkWorkers(
  sensors: readonly SensorDescription[],
  pollers: ReadonlyMap<string, readonly SensorWorker[]>,
  now: number
): Check[] {
  return [...pollers].map(([taskQueue, workers]) => {
    const gone = workers.filter((each) => isGone(each, now));
    const alive = workers.length - gone.length;
    const [last] = gone;
    const heard = last === undefined ? '' : `last heard of ${relative(last.lastSeen, now)}`;
    const here = sensors.filter((each) => each.taskQueue === taskQueue && each.status !== 'closed');
    const what = `task queue '${plain(taskQueue)}' (${count(here.length, 'sensor')})`;
    if (alive > 0) {
      const more = last === undefined ? '' : `; ${count(gone.length, 'other')} ${heard}`;
      return { check: 'workers', status: 'ok', message: `${what} is polled by ${count(alive, 'worker')}${more}` };
    }
    const wanted = here.some(({ status }) => status === 'running');
    return {
      check: 'workers',
      status: wanted ? 'fail' : 'warn',
      message: `no worker polls ${what}${last === undefined ? '' : ` any more (${heard})`}, so nothing of it is evaluated`,
      todo: 'start a worker with these sensors; if they are gone for good: sensors prune <sensor>',
      sensors: namesOf(here),
    };
  });
}

/** One thing that can be wrong with a sensor. */
interface Fault {
  readonly check: string;
  readonly status: 'warn' | 'fail';
  readonly has: (sensor: SensorDescription, now: number) => boolean;
  readonly message: string;
  readonly todo: string;
}

const FAULTS: readonly Fault[] = [
  {
    check: 'broken',
    status: 'fail',
    has: ({ failedTaskAttempts = 0 }) => failedTaskAttempts > 0,
    message: `the loop's workflow task fails again and again, so the sensor stands still`,
    todo: `see the error in Temporal Web or the worker's log, and start workers whose code fits`,
  },
  {
    check: 'notLoaded',
    status: 'fail',
    has: ({ health, status }) => health === 'notLoaded' && status === 'running',
    message: 'no worker that was asked has the definition',
    todo: 'add it to the sensors of a SensorsPlugin on its task queue; if it is gone for good: sensors stop or prune',
  },
  {
    check: 'failing',
    status: 'fail',
    has: ({ health, status }) => health === 'failing' && status === 'running',
    message: 'the evaluation fails',
    todo: 'sensors describe <sensor> has the error',
  },
  {
    check: 'stoppedItself',
    status: 'fail',
    has: ({ status, statusBy }) => status === 'stopped' && statusBy === STOPPED_BY_FAILURES,
    message: 'it failed so often in a row that it stopped itself (stopAfterFailures)',
    todo: 'sensors describe <sensor> has the error; when its cause is gone: sensors start <sensor>',
  },
  {
    check: 'closed',
    status: 'fail',
    has: ({ status }) => status === 'closed',
    message: 'the loop was cancelled or terminated',
    todo: 'sensors start <sensor> brings it back with its state; if it is gone for good: sensors prune <sensor>',
  },
  {
    check: 'paused',
    status: 'warn',
    has: ({ evaluation, status }) => evaluation?.paused === true && status !== 'closed',
    message: 'the evaluation was paused in Temporal Web',
    todo: 'unpause it there',
  },
  {
    check: 'late',
    status: 'warn',
    has: ({ dueSince, status }, now) =>
      dueSince !== undefined && now - dueSince.getTime() > LATE_MS && status !== 'closed',
    message: 'due for more than 2 min, and no worker has taken it',
    todo: 'look whether the workers are alive and have free slots',
  },
  {
    check: 'deadLetters',
    status: 'warn',
    has: ({ deadLetters }) => deadLetters > 0,
    message: 'requests or events were rejected',
    todo: 'sensors dead-letters list <sensor>',
  },
  {
    check: 'unreadable',
    status: 'warn',
    has: ({ unreadable }) => unreadable === true,
    message: 'encoded by a payload codec that this command does not have, so little can be said',
    todo: 'use SensorClient from temporal-sensors/client with the data converter of the workers',
  },
];

/** What is wrong with which sensors; one line when nothing is. */
export function checkSensors(sensors: readonly SensorDescription[], now: number): Check[] {
  if (sensors.length === 0)
    return [{ check: 'sensors', status: 'warn', message: 'there are none', todo: 'start a worker that has some' }];
  const found = FAULTS.flatMap(({ has, message, ...fault }): Check[] => {
    const ill = sensors.filter((sensor) => has(sensor, now));
    return ill.length === 0 ? [] : [{ ...fault, message: `${named(ill)}: ${message}`, sensors: namesOf(ill) }];
  });
  const running = sensors.filter(({ status }) => status === 'running').length;
  const message = `${count(sensors.length, 'sensor')}, ${running} running`;
  return [{ check: 'sensors', status: 'ok', message }, ...found];
}

const NAMED = 5;

function named(sensors: readonly SensorDescription[]): string {
  return list(namesOf(sensors));
}

function namesOf(sensors: readonly SensorDescription[]): string[] {
  return sensors.map(({ sensor }) => sensor);
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).map((name) => plain(name, 60));
  return `${shown.join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`;
}
