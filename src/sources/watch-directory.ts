/**
 * Nudges from the file system: a sensor over a directory ticks when something happens there, instead of after its
 * interval.
 *
 * Nudges may be lost (network file systems, full queues) and come in doubles; the sensor finds the files by itself either
 * way, so a watch only makes it quicker and never fails. Where watching fails, it is tried again and the interval does.
 */
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { SensorClient } from '../client/sensor-client.js';
import { parseDuration, type Duration } from '../sensors/duration.js';

export interface WatchOptions {
  /** Whether folders in the directory count. @default false */
  readonly recursive?: boolean;
  /** What happens within this time of the first change is one nudge; 10 ms to 1 minute. @default '100ms' */
  readonly debounce?: Duration;
  /** Told of what went wrong, for a log: the directory cannot be watched, the sensor cannot be reached. */
  readonly onError?: (error: Error) => void;
}

export interface DirectoryWatch {
  /** Ends the watch, and waits for a nudge on its way. */
  close(): Promise<void>;
}

/** How often it is made sure that the directory is still the one that is watched. */
const CHECK_MS = 5_000;

/**
 * Pushes to a sensor, without an event, whenever something changes in a directory.
 *
 * @param sensor its name, with the plugin's prefix
 * @throws {@link DefinitionError} for a bad `debounce`
 */
export function watchDirectory(
  client: Pick<SensorClient, 'push'>,
  sensor: string,
  path: string,
  options: WatchOptions = {}
): DirectoryWatch {
  return new Watch(() => client.push(sensor), path, options);
}

class Watch implements DirectoryWatch {
  private readonly debounceMs: number;
  private readonly check: NodeJS.Timeout;
  private watcher: FSWatcher | undefined;
  /** What tells a directory from another of its name. */
  private watched: string | undefined;
  private due: NodeJS.Timeout | undefined;
  private pushing: Promise<void> | undefined;
  private changedMeanwhile = false;
  private closed = false;

  constructor(
    private readonly push: () => Promise<void>,
    private readonly path: string,
    private readonly options: WatchOptions
  ) {
    this.debounceMs = parseDuration(options.debounce ?? '100ms', 'watchDirectory: debounce', 10, 60_000);
    // a forgotten watch must not keep a process alive
    this.check = setInterval(() => void this.open(), CHECK_MS).unref();
    void this.open();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.check);
    clearTimeout(this.due);
    this.release();
    await this.pushing;
  }

  /** Watches the directory that is there now; one that was deleted and made again is another. */
  private async open(): Promise<void> {
    const found = await stat(this.path, { bigint: true }).then(
      ({ dev, ino }) => `${dev}:${ino}`,
      (error: Error) => error
    );
    if (this.closed || found === this.watched) return;
    this.release();
    if (found instanceof Error) return this.options.onError?.(found);
    try {
      const { recursive = false } = this.options;
      this.watcher = watch(this.path, { recursive, persistent: false }, () => this.changed());
      this.watcher.on('error', (error) => this.failed(error));
      this.watched = found;
      // for what happened before
      this.changed();
    } catch (error) {
      this.failed(error as Error);
    }
  }

  private failed(error: Error): void {
    this.release();
    this.options.onError?.(error);
  }

  private release(): void {
    this.watcher?.close();
    this.watcher = undefined;
    this.watched = undefined;
  }

  private changed(): void {
    if (this.closed) return;
    if (this.pushing !== undefined) this.changedMeanwhile = true;
    else this.due ??= setTimeout(() => this.nudge(), this.debounceMs).unref();
  }

  private nudge(): void {
    this.due = undefined;
    this.pushing = this.push()
      .catch((error: Error) => this.options.onError?.(error))
      .then(() => {
        this.pushing = undefined;
        if (!this.changedMeanwhile) return;
        this.changedMeanwhile = false;
        this.changed();
      });
  }
}
