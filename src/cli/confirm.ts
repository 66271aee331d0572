/**
 * The question before something that cannot be undone, or that many sensors are told at once. Asked on stderr, so that
 * results stay alone on stdout; where nobody can answer it, the command ends instead of acting.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { ReadOnlyError } from '../client/read-only.js';

/** Nobody said yes. Nothing was sent. */
export class UnconfirmedError extends Error {
  override readonly name = 'UnconfirmedError';
}

export interface Question {
  /** What will be done: `prune sensor 'orders'`. */
  readonly action: string;
  /** What to know before the answer, in lines. */
  readonly details?: readonly string[];
  /** `--yes` was given. */
  readonly yes?: boolean | undefined;
  /** The client refuses anyway, so that there is nothing to ask. */
  readonly readOnly?: boolean | undefined;
}

/** Where the question is asked. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/**
 * Returns when the answer is yes.
 *
 * @throws UnconfirmedError for any other answer, and when there is no terminal to ask on
 * @throws ReadOnlyError when the answer would not matter
 */
export async function confirm(
  { action, details = [], yes, readOnly }: Question,
  { input, output }: Terminal = { input: process.stdin, output: process.stderr }
): Promise<void> {
  if (readOnly === true) throw new ReadOnlyError(action);
  if (yes === true) return;
  if (input.isTTY !== true || output.isTTY !== true)
    throw new UnconfirmedError(
      [`refused: ${action} asks first, and there is no terminal to ask on; add --yes`, ...details].join('\n')
    );
  const terminal = createInterface({ input, output });
  try {
    output.write(details.map((line) => `${line}\n`).join(''));
    // Ctrl-D closes it without an answer, Ctrl-C fails the question
    const closed = once(terminal, 'close').then(() => '');
    const asked = terminal.question(`${action}? [y/N] `).catch(() => '');
    const answer = await Promise.race([asked, closed]);
    if (!/^\s*y(es)?\s*$/i.test(answer)) throw new UnconfirmedError('the answer was not yes; nothing was changed');
  } finally {
    terminal.close();
  }
}
