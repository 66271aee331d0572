/** `start` and `stop` of many sensors: one question, then each on its own, so that one that refuses stops no other. */
import type { SensorSummary } from '../../client/index.js';
import { inBatches } from '../../client/batches.js';
import { confirm } from '../confirm.js';
import { explainError, type ExplainedError } from '../errors.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { colored, table, type Output } from '../output.js';
import { select, type Selection } from '../select.js';
import type { Session } from '../session.js';
import { count, plain } from '../../sensors/text.js';
import { sensorView } from '../views.js';
import { pendingReason, type Told, type Verb } from './tell-sensor.js';

const AT_ONCE = 20;
const NAMED = 10;

interface Act {
  readonly verb: Verb;
  readonly selection: Selection;
  readonly tell: (sensor: string) => Promise<Told>;
}

interface Outcome {
  readonly sensor: string;
  readonly told?: Told;
  readonly error?: ExplainedError;
}

export async function forMany(
  session: Session,
  output: Output,
  { verb, selection, tell }: Act,
  { dryRun, yes }: { readonly dryRun?: boolean; readonly yes?: boolean }
): Promise<ExitCode> {
  const sensors = select(await session.call(() => session.sensors.list()), selection);
  if (dryRun === true) {
    printPlan(output, verb, sensors);
    return EXIT.ok;
  }
  const names = sensors.map(({ sensor }) => plain(sensor));
  const more = names.length > NAMED ? ', …' : '';
  const action = `${verb} ${count(names.length, 'sensor')} (${names.slice(0, NAMED).join(', ')}${more})`;
  await confirm({ action, yes: yes === true || sensors.length === 1, readOnly: session.readOnly });
  const outcomes = await tellAll(session, output, sensors, tell);
  printOutcomes(output, verb, outcomes);
  return outcomes.every(({ error }) => error === undefined) ? EXIT.ok : EXIT.someFailed;
}

async function tellAll(
  session: Session,
  output: Output,
  sensors: readonly SensorSummary[],
  tell: Act['tell']
): Promise<readonly Outcome[]> {
  const outcomes = new Map<string, Outcome>();
  const progress = output.progress(sensors.length, 'sensors');
  try {
    await inBatches(sensors, AT_ONCE, async ({ sensor }) => {
      try {
        outcomes.set(sensor, { sensor, told: await tell(sensor) });
      } catch (error) {
        outcomes.set(sensor, { sensor, error: explainError(error, session) });
      }
      progress.advance();
    });
  } finally {
    progress.end();
  }
  return sensors.flatMap(({ sensor }) => outcomes.get(sensor) ?? []);
}

function printPlan(output: Output, verb: Verb, sensors: readonly SensorSummary[]): void {
  output.result(
    sensors.map(({ sensor, status }) => ({ sensor, status, would: verb })),
    (colors) =>
      table(
        ['SENSOR', 'STATUS', 'WOULD'],
        sensors.map(({ sensor, status }) => [plain(sensor), colored(status, colors), verb]),
        colors
      )
  );
  output.note('Nothing was sent (--dry-run).');
}

function printOutcomes(output: Output, verb: Verb, outcomes: readonly Outcome[]): void {
  output.result(
    outcomes.map(({ sensor, told, error }) =>
      told === undefined
        ? { sensor, error: { code: error?.code, message: error?.message } }
        : { ...sensorView(told.description), applied: told.applied }
    ),
    (colors) =>
      table(
        ['SENSOR', 'STATUS', 'WHAT'],
        outcomes.map(({ sensor, told, error }) => [
          plain(sensor),
          told === undefined ? colors.red('failed') : colored(told.description.status, colors),
          told === undefined
            ? plain(error?.message ?? '', 200)
            : told.applied
              ? `told to ${verb}`
              : `the ${verb} is delivered; ${pendingReason(told)}`,
        ]),
        colors
      )
  );
}
