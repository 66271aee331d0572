/** The log lines of one tick: all go to the worker's logger, the first 50 (4 KB) are kept with the tick. */
import type { SensorLog } from './define-sensor.js';
import { cutText, jsonBytes } from './json.js';
import { describeError, isRedacting, rootCause } from './describe-error.js';
import { DefinitionError, EvaluationError } from './errors.js';
import { MAX_LOG_BYTES, MAX_LOG_LINES, MAX_TRACEBACK_BYTES } from './limits.js';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly message: string;
}

/** Where lines go besides the book: the worker's logger. */
export type LogSink = (level: LogLine['level'], message: string, metadata: Record<string, unknown>) => void;

export class LogBook {
  readonly lines: LogLine[] = [];
  /** Lines that were written but not kept. */
  dropped = 0;
  private bytes = 0;
  private made: SensorLog | undefined;

  constructor(
    private readonly sink: LogSink,
    private readonly now: () => number
  ) {}

  get log(): SensorLog {
    return (this.made ??= {
      debug: (message, metadata) => this.write('debug', message, metadata),
      info: (message, metadata) => this.write('info', message, metadata),
      warn: (message, metadata) => this.write('warn', message, metadata),
      error: (message, metadata) => this.write('error', message, metadata),
    });
  }

  /** Keeps where an error was thrown, whatever else was logged. Its message is the tick's error. */
  traceback(error: unknown): void {
    if (isRedacting()) return;
    const thrown = rootCause(error);
    if (!(thrown instanceof Error) || thrown instanceof EvaluationError || thrown instanceof DefinitionError) return;
    if (thrown.stack === undefined) return;
    const message = cutText(thrown.stack, MAX_TRACEBACK_BYTES);
    this.lines.push({ level: 'error', at: this.now(), message });
  }

  private write(level: LogLine['level'], message: string, metadata: Readonly<Record<string, unknown>> = {}): void {
    try {
      this.sink(level, String(message), { ...metadata });
    } catch {
      // a broken logger must not fail the tick
    }
    const text = cutText(`${message}${render(metadata)}`, MAX_LOG_BYTES / 4);
    const line: LogLine = { level, at: this.now(), message: text };
    const bytes = jsonBytes(line);
    if (this.lines.length >= MAX_LOG_LINES || this.bytes + bytes > MAX_LOG_BYTES) this.dropped += 1;
    else {
      this.lines.push(line);
      this.bytes += bytes;
    }
  }
}

function render(metadata: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(metadata);
  if (entries.length === 0) return '';
  return ` ${entries.map(([key, value]) => `${key}=${renderValue(value)}`).join(' ')}`;
}

function renderValue(value: unknown): string {
  try {
    if (value instanceof Error) return isRedacting() ? describeError(value, 'the code of the sensor') : value.message;
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
