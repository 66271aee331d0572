/** A line that says how far long work is, on a terminal only; it is gone when the work is done. */
import { plain, relative } from '../sensors/text.js';
import type { OnHistory } from '../client/index.js';
import type { Output } from './output.js';

const WIDTH = 24;
const ERASE_LINE = '\r\u001b[K';

export interface Progress {
  /** So many more are done. */
  advance(by?: number): void;
  /** Removes the line. */
  end(): void;
}

/** The part of a terminal that is written to. */
export type Terminal = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>;

/** One line, written over again; `undefined` removes it. @param terminal shows nothing when it is none */
export function statusLine(terminal: Terminal | undefined): (text: string | undefined) => void {
  return (text) => {
    if (terminal?.isTTY !== true) return;
    terminal.write(text === undefined ? ERASE_LINE : ERASE_LINE + plain(text, terminal.columns));
  };
}

/** @param show what {@link statusLine} gave */
export function startProgress(show: (text: string | undefined) => void, total: number, what: string): Progress {
  let done = 0;
  const update = (): void => {
    const full = total === 0 ? WIDTH : Math.round((WIDTH * Math.min(done, total)) / total);
    show(`[${'='.repeat(full)}${' '.repeat(WIDTH - full)}] ${done} of ${total} ${what}`);
  };
  update();
  return {
    advance(by = 1) {
      done += by;
      update();
    },
    end: () => show(undefined),
  };
}

/** Work of which it shows how many are done, from the first one on. @param work told `advance` after each, with how many there are */
export async function withProgress<T>(
  output: Pick<Output, 'progress'>,
  what: string,
  work: (advance: (of: number) => void) => Promise<T>
): Promise<T> {
  let progress: Progress | undefined;
  try {
    return await work((of) => (progress ??= output.progress(of, what)).advance());
  } finally {
    progress?.end();
  }
}

/** Says which history of a sensor's loop is being read. */
export function historyProgress(output: Pick<Output, 'status'>, sensor: string): OnHistory {
  let histories = 0;
  return (startTime) => output.status(`reading history ${++histories} of ${sensor}: it began ${relative(startTime)}`);
}

/** The same for as long as something is read. */
export async function withHistoryProgress<T>(
  output: Pick<Output, 'status'>,
  sensor: string,
  read: (onHistory: OnHistory) => Promise<T>
): Promise<T> {
  try {
    return await read(historyProgress(output, sensor));
  } finally {
    output.status(undefined);
  }
}
