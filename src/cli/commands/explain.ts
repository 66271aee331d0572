/** `sensors explain`: what became of a key, what took place at a time, where a run came from. Needs no worker. */
import type { Explanation, Question } from '../../client/index.js';
import { BACKFILL_ID_PREFIX } from '../../sensors/protocol.js';
import { isRunId } from '../../client/run-id.js';
import { explanationLines } from '../explain-text.js';
import { explanationView, type ExplanationOptions } from '../explain-view.js';
import { isDuration, isoTime, looksLikeTime, moment, timeOfDay } from '../options.js';
import type { Output } from '../output.js';
import { withHistoryProgress } from '../progress.js';
import type { Session } from '../session.js';
import { shellQuoted } from '../shell.js';

export interface ExplainOptions {
  /** What is asked about; left out, the command finds out. */
  readonly as?: 'key' | 'time' | 'run';
  readonly job?: string;
  readonly showCursor?: true;
}

/** `sensors explain <sensor> <what>` */
export async function explain(
  session: Session,
  output: Output,
  sensor: string,
  what: string,
  options: ExplainOptions
): Promise<void> {
  const explanation = await withHistoryProgress(output, sensor, async (onHistory) => {
    const ask = (question: Question): Promise<Explanation> => session.sensors.explain(sensor, question, { onHistory });
    return await answer(ask, sensor, what, options);
  });
  const { showCursor = false } = options;
  const printing: ExplanationOptions = { showCursor, webUrlOf: (workflow) => session.webUrlOf(workflow) };
  const hint = options.as === undefined && isUnknownKey(explanation) ? hintFor(sensor, what) : [];
  output.result(explanationView(explanation, printing), () => [...explanationLines(explanation, printing), ...hint]);
}

/** Nothing has asked for it, and it is nothing else. */
function isUnknownKey(explanation: Explanation): boolean {
  if (explanation.about !== 'key' || explanation.event !== undefined) return false;
  return explanation.answers.every(({ kind }) => kind === 'notSeen');
}

/** What else the text may be meant as: then it is not just a key that nobody asked for. */
function hintFor(sensor: string, what: string): string[] {
  if (otherQuestion(sensor, what) !== undefined) return [`Temporal knows no run of this ID either (any more).`];
  if (!looksLikeTime(what)) return [];
  if (timeOfDay(what) !== undefined || isDuration(what))
    return [`To ask for a time: ${['sensors', 'explain', sensor, what, '--as', 'time'].map(shellQuoted).join(' ')}`];
  return ['If a time is meant: an ISO time is such as 2026-01-31T08:00:00Z; with --as time also 16:38, or 2h (ago).'];
}

/** A key may look like anything: what the sensor knows as a key is one, whatever else it could be. */
async function answer(
  ask: (question: Question) => Promise<Explanation>,
  sensor: string,
  what: string,
  { as, job }: ExplainOptions
): Promise<Explanation> {
  const other = otherQuestion(sensor, what);
  if (as === 'key' || (as === undefined && other === undefined)) return await ask({ runKey: what, job });
  if (as !== undefined) return await ask(as === 'time' ? { at: moment(what) } : { run: what });
  const key = await ask({ runKey: what, job });
  if (other === undefined || !isUnknownKey(key)) return key;
  const second = await ask(other);
  const isNothing = second.about === 'run' && second.answer.kind === 'unknown';
  // of what is called like a backfill, that there is none says more than that no key is called so
  return isNothing && !what.startsWith(BACKFILL_ID_PREFIX) ? key : second;
}

/** What else a text may stand for. */
function otherQuestion(sensor: string, what: string): Question | undefined {
  const at = isoTime(what);
  if (at !== undefined) return { at };
  return isRunId(what) || what.startsWith(`${sensor}:`) || what.startsWith(BACKFILL_ID_PREFIX)
    ? { run: what }
    : undefined;
}
