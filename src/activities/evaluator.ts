/**
 * How one worker evaluates sensors, for ticks and for previews: it keeps what it has learned of run keys and search
 * attributes, and knows which of its evaluations still run.
 */
import { Context } from '@temporalio/activity';
import { readPage } from '../client/pages.js';
import type { AttemptTimes } from '../sensors/attempt-end.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { EvaluationError } from '../sensors/errors.js';
import { evaluateInput } from '../sensors/evaluate-input.js';
import type { LedgerKeys } from '../sensors/key-ledger.js';
import { HEARTBEAT_TIMEOUT_MS } from '../sensors/limits.js';
import { LogBook } from '../sensors/log-book.js';
import {
  QUERIES,
  type EvaluationInput,
  type EvaluationResult,
  type FailureDetails,
  type StreakRecord,
} from '../sensors/protocol.js';
import { createAssetReader } from './asset-reader.js';
import { Attempt } from './attempt.js';
import type { SensorActivityDependencies } from './index.js';
import { KnownKeys } from './known-keys.js';
import { stageRequests } from './pages.js';
import { KeysUnavailableError } from './postponed.js';
import type { SearchAttributes } from './search-attributes.js';
import { shortHash } from '../sensors/short-hash.js';
import { currentTrace } from '../sensors/trace.js';

/** Of its timeout: an evaluation that takes longer is close to failing. */
const SLOW_SHARE = 0.8;

/** One attempt at an evaluation. */
export class Evaluating {
  readonly began = Date.now();
  readonly book: LogBook;
  readonly attempt: Attempt;

  constructor(
    readonly input: EvaluationInput,
    readonly definition: SensorDefinition,
    readonly times: AttemptTimes,
    readonly streak?: StreakRecord
  ) {
    const { client, log } = Context.current();
    this.book = new LogBook(
      (level, message, metadata) => log[level](message, { sensor: input.sensor, ...metadata }),
      Date.now
    );
    this.attempt = new Attempt(input, client, streak);
  }

  /** What it has to report so far, besides its result or failure. */
  get report(): FailureDetails {
    const trace = currentTrace();
    return {
      logs: this.book.lines,
      logLinesDropped: this.book.dropped,
      durationMs: Date.now() - this.began,
      quiet: this.streak?.reasons ?? [],
      ...(trace === undefined ? {} : { trace }),
    };
  }
}

export type Evaluator = ReturnType<typeof createEvaluator>;

export function createEvaluator(
  { registry, resources }: SensorActivityDependencies,
  searchAttributes: SearchAttributes
) {
  /** Evaluations whose author's code still runs on this worker, since when. */
  const running = new Map<string, Date>();
  /** Evaluations that blocked the event loop for so long that the server did not take their result. */
  const blocked = new Map<string, EvaluationError>();
  const keys = new Map<string, KnownKeys>();

  /** @throws {@link EvaluationError} when the one before it still runs here, or was given up by the server */
  function refuseOverlap({ sensor }: EvaluationInput): void {
    const lost = blocked.get(sensor);
    if (blocked.delete(sensor)) throw lost;
    const since = running.get(sensor);
    if (since === undefined) return;
    throw new EvaluationError(
      `an earlier evaluation of this sensor, begun ${since.toISOString()}, still runs on this worker because it ignores ctx.signal; ` +
        `a second one was not begun`
    );
  }

  /**
   * @throws whatever the author's code throws, `EvaluationError` for what it may not give, and
   *   {@link KeysUnavailableError}
   */
  async function evaluate(evaluating: Evaluating, purpose: 'tick' | 'preview'): Promise<EvaluationResult> {
    const { input, definition, times, attempt, book, began } = evaluating;
    const { client } = Context.current();
    const services = { signal: attempt.signal, heartbeat: () => attempt.heartbeat(), client, book };
    const nonce = nonceOf();
    const checked = await evaluateInput(input, definition, {
      now: new Date(began),
      nonce,
      run: async (work) => {
        const author = (): ReturnType<typeof work> =>
          resources.use(definition.resources, attempt.signal, (built) => work({ ...services, resources: built }));
        const watched = purpose === 'preview' ? author : () => guarded(evaluating, author);
        const outcome = await attempt.run(watched, ({ fed }) => fed !== undefined);
        warnIfSlow(input, Date.now() - began, book);
        return outcome;
      },
      // a preview must not meddle with what the ticks know at the same moment
      knownKeys: () => knownKeys(input, attempt, purpose === 'preview' ? new KnownKeys() : keysOf(input)),
      assets: createAssetReader(registry, client, () => attempt.heartbeat()),
      prefix: registry.prefix,
      times,
      jobs: [...registry.jobs.keys()],
      preview: purpose === 'preview',
    });
    // a quiet evaluation ends at once, and each heartbeat is an action for Temporal Cloud
    if (checked.requests.length > 0) attempt.heartbeat();
    const staged = await stageRequests(input.sensor, nonce, checked.requests, () => attempt.heartbeat());
    if (staged.length > 0) return { ...checked, requests: [], staged, ...evaluating.report };
    // what starts later (staged, previewed) is marked then
    const requests = purpose === 'preview' ? checked.requests : await searchAttributes.mark(client, checked.requests);
    return { ...checked, requests, ...evaluating.report };
  }

  /** Runs the author's code so that a second evaluation on this worker knows of it. */
  async function guarded<T>({ input, attempt, began }: Evaluating, work: () => Promise<T>): Promise<T> {
    running.set(input.sensor, new Date(began));
    try {
      return await work();
    } finally {
      running.delete(input.sensor);
      if (attempt.blockedMs > HEARTBEAT_TIMEOUT_MS) blocked.set(input.sensor, blockedError(attempt.blockedMs));
    }
  }

  function keysOf({ sensor }: EvaluationInput): KnownKeys {
    const known = keys.get(sensor) ?? new KnownKeys();
    keys.set(sensor, known);
    return known;
  }

  /** The run keys of the sensor, up to date. */
  async function knownKeys(input: EvaluationInput, attempt: Attempt, known: KnownKeys): Promise<KnownKeys> {
    const { client, info } = Context.current();
    const { workflowId = '', runId } = info.workflowExecution ?? {};
    const ask = (): Promise<LedgerKeys> => client.workflow.getHandle(workflowId, runId).query<LedgerKeys>(QUERIES.keys);
    try {
      await known.refresh(input.ledger, {
        ask,
        readPage: (id) => readPage(client, id),
        alive: () => attempt.heartbeat(),
      });
      return known;
    } catch (error) {
      throw new KeysUnavailableError((error as Error).message, { cause: error });
    }
  }

  return { evaluate, refuseOverlap };
}

function warnIfSlow({ timeoutMs }: EvaluationInput, tookMs: number, book: LogBook): void {
  if (tookMs <= SLOW_SHARE * timeoutMs) return;
  const share = Math.round((100 * tookMs) / timeoutMs);
  book.log.warn(
    `this evaluation took ${tookMs} ms, ${share} % of its timeout; split the work (ctx.more) or raise the timeout`
  );
}

/**
 * Mints the part of workflow IDs that stands for this evaluation. Attempts share it, since only one of them commits; a
 * reset in Temporal Web makes a new run, and so another one.
 */
function nonceOf(): string {
  const { info } = Context.current();
  const text = `${info.workflowExecution?.runId ?? ''}:${info.activityId}`;
  return shortHash(text);
}

function blockedError(ms: number): EvaluationError {
  return new EvaluationError(
    `the evaluation before this one blocked its worker's event loop for ${Math.round(ms / 1000)} s with synchronous code; after ` +
      `${HEARTBEAT_TIMEOUT_MS / 1000} s without a sign of life Temporal gave up on it, so its result was lost: split the work up or await in between`
  );
}
