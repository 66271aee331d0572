/** What Temporal Web shows of sensors and runs: bounded, without secrets, and no markup of somebody else's. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineJob, defineSensor } from '../../src/index.js';
import { jsonBytes } from '../../src/sensors/json.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import type { LaunchRequest, LoopState, TickRecord } from '../../src/sensors/protocol.js';
import { keyedRunId } from '../../src/sensors/run-key.js';
import { describeRun } from '../../src/workflows/describe-run.js';
import { escaped, table } from '../../src/workflows/markdown.js';
import { emptyRecord } from '../../src/workflows/records.js';
import { detailsOf } from '../../src/workflows/sensor-details.js';
import { newState } from '../../src/workflows/state.js';

const MARKUP = fc.constantFrom(...Array.from('|`*_<>[]&~#\\\n\r\u001b\u202e"a1 日\ud800'));
const AT = Date.UTC(2030, 0, 1);
const sensor = defineSensor({ name: 'files', job: defineJob({ name: 'load' }), evaluate: () => null });
const fresh = newState(loopOptions(sensor), AT);

function ticks(count: number, fields: Partial<TickRecord>): TickRecord[] {
  return Array.from({ length: count }, (_, n) => ({ ...emptyRecord(n + 1, 'interval', AT), ...fields }));
}

function letter(n: number, fields: Partial<LoopState['deadLetters'][number]> = {}): LoopState['deadLetters'][number] {
  const times = { tick: 1, firstAt: AT, lastAt: AT, count: 1 };
  return {
    id: `id${n}`,
    kind: 'request',
    job: 'load',
    runKey: `k${n}`,
    error: 'config.n: expected number',
    ...times,
    ...fields,
  };
}

/** What Temporal Web shows between columns is not looked at. */
function shown(state: LoopState): string {
  return detailsOf('files', state).replaceAll('\u00a0', '');
}

const troubled: LoopState = {
  ...fresh,
  choice: { status: 'stopped', at: AT, by: 'ann', reason: 'moves | to <b>eu</b>', until: AT + 60_000 },
  cursor: { value: { secret: 'cursor value' } },
  health: { status: 'failing', since: AT, error: 'connect ECONNREFUSED', failures: 3 },
  ring: ticks(30, { status: 'failure', error: 'connect\nECONNREFUSED `x` | y', cursorChanged: true, endedAt: AT }),
  deadLetters: [letter(1, { payload: { password: 'hunter2' } })],
  launch: {
    remaining: [{ id: 'files:load:p', job: 'load', args: [{ password: 'hunter2' }], runKey: 'p' }],
    staged: [],
    refused: [],
  },
};

test('the details of a sensor say what is wrong, why, and what to do', () => {
  const details = shown(troubled);
  expect(details).toContain(
    String.raw`**files** is **stopped** by ann (moves \| to \<b\>eu\</b\>) since 2030-01-01T00:00:00Z until 2030-01-01T00:01:00Z`
  );
  expect(details).toContain('**Failing** since 2030-01-01T00:00:00Z: connect ECONNREFUSED');
  expect(details).toContain('Cursor: 25 bytes of JSON, changed by tick 30 at 2030-01-01T00:00:00Z.');
  expect(details).toContain('- **Pending**: 1 request waiting for a start: p\n');
  expect(details).toContain(
    String.raw`| 30 | failure | interval | 2030-01-01T00:00:00Z | connect ECONNREFUSED \`x\` \| y |`
  );
  expect(details).toContain('| 11 | failure');
  expect(details).not.toContain('| 10 | failure');
  expect(details).toContain('| id1 | request | load | k1 | 1 | 2030-01-01T00:00:00Z | config.n: expected number |');
  expect(details).not.toMatch(/cursor value|hunter2/);
  expect(shown({ ...fresh, health: { ...fresh.health, failingBefore: AT } })).toContain('Recovered at');
});

test('details are small, whatever a sensor holds and whoever completed its activities by hand', () => {
  const wide = '|*`<_日'.repeat(400);
  const full: LoopState = {
    ...troubled,
    ring: ticks(50, { status: 'failure', error: wide }),
    deadLetters: Array.from({ length: 60 }, (_, n) => letter(n, { error: wide, runKey: wide })),
    health: { ...troubled.health, error: wide },
  };
  const details = detailsOf('files', full);
  expect(jsonBytes(details)).toBeLessThan(40_000);
  expect(details).toMatch(/\nand \d+ more\n/);
  const odd = letter(1, { id: 1 as never, error: { toString: 1 } as never, runKey: null as never });
  expect(shown({ ...fresh, deadLetters: [odd] })).toContain('| 1 | request | load |  | 1 |');
});

test('text of others is neither markup nor a second line or cell', () => {
  fc.assert(
    fc.property(fc.string({ unit: MARKUP, maxLength: 60 }), (text) => {
      const shown = escaped(text);
      // what a backslash precedes shows as it is
      expect(shown.replaceAll(/\\[\\`*[\]<>&|~_]/g, '')).not.toMatch(/[\\`*[\]<>&|~\n\r]|(?<![\p{L}\p{N}])_/u);
      const [, rule, row] = table(['a', 'b'], [[text, 'end']]);
      expect(rule).toBe('| --- | --- |');
      expect(row?.replaceAll(/\\./gu, '').match(/\|/g)).toHaveLength(3);
    })
  );
  expect(escaped('my_file_1.csv')).toBe('my_file_1.csv');
  expect(escaped('_x_')).toBe(String.raw`\_x\_`);
});

function run(fields: Partial<LaunchRequest>): LaunchRequest {
  return { id: 'files:load:a.csv', job: 'load', args: [{ password: 'hunter2' }], runKey: 'a.csv', ...fields };
}

test('a run says which key it is for and links to its sensor', () => {
  expect(describeRun(run({}), { sensor: 'files', tick: 3 }, 'default')).toEqual({
    staticSummary: 'run key a.csv, tick 3 of sensor files',
    staticDetails: 'Started by tick 3 of sensor [files](</namespaces/default/workflows/sensor%2Ffiles>).',
  });
  const rerun = describeRun(run({}), { sensor: 'files', tick: 3, rerunOf: 'files:load:a [1]' }, 'default');
  expect(rerun.staticDetails).toContain(
    String.raw` It repeats [files:load:a \[1\]](</namespaces/default/workflows/files%3Aload%3Aa%20%5B1%5D>).`
  );
  expect(describeRun(run({ partitionKey: 'eu' }), { sensor: 'files', tick: 3, backfill: 'b1' }, 'n s')).toEqual({
    staticSummary: 'partition eu, backfill b1',
    staticDetails: 'Started by backfill [b1](</namespaces/n%20s/workflows/backfill%2Fb1>).',
  });
});

test('a run has no key where its workflow ID has none, and its summary fits whatever the key is', () => {
  const id = keyedRunId({ sensor: 'files', job: 'load', runKey: 'a.csv', form: 'hashed' });
  const summary = (fields: Partial<LaunchRequest>): string =>
    describeRun(run(fields), { sensor: 'x'.repeat(200), tick: 3 }, 'default').staticSummary;
  expect(JSON.stringify(describeRun(run({ id }), { sensor: 'files', tick: 3 }, 'default'))).not.toContain('a.csv');
  fc.assert(
    fc.property(fc.string({ unit: MARKUP, minLength: 1, maxLength: 300 }), (runKey) => {
      expect(jsonBytes(summary({ runKey }))).toBeLessThan(400);
    })
  );
});
