/**
 * `sensors doctor`: looks at everything that a sensor needs, and says what to do. It changes nothing; reading the
 * server's clock takes a poll of a task queue of its own.
 */
import type { SensorDescription, SensorWorker } from '../../client/index.js';
import { inBatches } from '../../client/batches.js';
import { listSearchAttributes, tagsInUse } from '../../client/search-attributes.js';
import { clockSkewMs, retentionMs, serverVersion } from '../../client/server-facts.js';
import {
  checkClock,
  checkRetention,
  checkSearchAttributes,
  checkSensors,
  checkWorkers,
  type Check,
} from '../checks.js';
import { detailsOf, explainError, isForbidden, type ExplainedError, type Place } from '../errors.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { Output } from '../output.js';
import { withProgress } from '../progress.js';
import type { Session } from '../session.js';
import { formatDuration, plain } from '../../sensors/text.js';

const AT_ONCE = 20;

/** `sensors doctor` on a server that answers. */
export async function doctor(session: Session, output: Output): Promise<ExitCode> {
  const { client, address } = session;
  const asked = performance.now();
  const version = await session.call(() => serverVersion(client));
  const took = formatDuration(Math.round(performance.now() - asked));
  const server: Check = {
    check: 'server',
    status: 'ok',
    message: `Temporal ${plain(version)} at ${address} answers in ${took}`,
  };
  let retention: number | undefined;
  try {
    retention = await session.call(() => retentionMs(client));
  } catch (error) {
    return printUnusable(output, explainError(error, session), [server], 'namespace');
  }
  const sensors = await withProgress(output, 'sensors', (advance) => session.sensors.describeAll({}, advance));
  const namespace: Check = { check: 'namespace', status: 'ok', message: `'${plain(session.namespace)}' exists` };
  const skewMs = await allowed(() => clockSkewMs(client));
  const pollers = await pollersOf(session, sensors);
  return print(output, [
    server,
    namespace,
    ...checkRetention(retention, sensors),
    checkClock(skewMs),
    checkSearchAttributes(await attributesOf(session), await session.call(() => tagsInUse(client))),
    ...checkWorkers(sensors, pollers, Date.now() + (skewMs ?? 0)),
    ...checkSensors(sensors, Date.now()),
  ]);
}

/** `sensors doctor` without a server that can be used: the error is its finding. */
export function doctorUnreachable(output: Output, error: unknown, place: Place | undefined): ExitCode {
  return printUnusable(output, explainError(error, place), [], 'server');
}

function printUnusable(output: Output, error: ExplainedError, before: readonly Check[], check: string): ExitCode {
  const [message = '', ...todo] = error.message.split('\n');
  print(output, [
    ...before,
    { check, status: 'fail', message, ...(todo.length === 0 ? {} : { todo: todo.join('\n') }) },
  ]);
  return error.exitCode;
}

/** The answer, or undefined when the credentials do not allow the question. */
async function allowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

async function attributesOf(session: Session): Promise<ReadonlyMap<string, string> | { readonly refused: string }> {
  try {
    return await session.call(() => listSearchAttributes(session.client));
  } catch (error) {
    if (isForbidden(error)) return { refused: detailsOf(error) };
    throw error;
  }
}

async function pollersOf(
  session: Session,
  sensors: readonly SensorDescription[]
): Promise<ReadonlyMap<string, readonly SensorWorker[]>> {
  const open = sensors.filter(({ status }) => status !== 'closed');
  const pollers = new Map(open.map(({ taskQueue }): [string, readonly SensorWorker[]] => [taskQueue, []]));
  await inBatches([...pollers.keys()], AT_ONCE, async (taskQueue) => {
    pollers.set(taskQueue, await session.call(() => session.sensors.workers(taskQueue)));
  });
  return pollers;
}

function print(output: Output, checks: readonly Check[]): ExitCode {
  const worst = (['fail', 'warn'] as const).find((status) => checks.some((each) => each.status === status)) ?? 'ok';
  output.result({ status: worst, checks }, (colors) => {
    const paint = { ok: colors.green, warn: colors.yellow, fail: colors.red };
    return checks.flatMap(({ check, status, message, todo }) => [
      `${paint[status](status.padEnd(4))}  ${check}: ${plain(message)}`,
      ...(todo === undefined ? [] : todo.split('\n').map((line) => `      ${colors.dim('→')} ${plain(line)}`)),
    ]);
  });
  return worst === 'fail' ? EXIT.someFailed : EXIT.ok;
}
