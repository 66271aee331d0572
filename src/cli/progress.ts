/** A line that says how far long work is, on a terminal only; it is gone when the work is done. */

const WIDTH = 24;
const ERASE_LINE = '\r\u001b[K';

export interface Progress {
  /** So many more are done. */
  advance(by?: number): void;
  /** Removes the line. */
  end(): void;
}

/** The part of a terminal that is written to. */
export type Terminal = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;

/** @param terminal shows nothing when it is none */
export function startProgress(terminal: Terminal | undefined, total: number, what: string): Progress {
  if (terminal?.isTTY !== true) return { advance: () => undefined, end: () => undefined };
  let done = 0;
  const show = (): void => {
    const full = total === 0 ? WIDTH : Math.round((WIDTH * Math.min(done, total)) / total);
    terminal.write(`${ERASE_LINE}[${'='.repeat(full)}${' '.repeat(WIDTH - full)}] ${done} of ${total} ${what}`);
  };
  show();
  return {
    advance(by = 1) {
      done += by;
      show();
    },
    end: () => void terminal.write(ERASE_LINE),
  };
}
