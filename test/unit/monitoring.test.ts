/** The dashboard and the alert rules say what Prometheus understands, of metrics that there are. */
import { parser } from '@prometheus-io/lezer-promql';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { METRICS } from '../../src/sensors/metrics.js';

const SDK_LABELS = ['namespace', 'taskQueue', 'le'];

async function opsFile(name: string): Promise<string> {
  return await readFile(new URL(`../../ops/${name}`, import.meta.url), 'utf8');
}

interface Named {
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

/** What a PromQL expression names. @throws for one that does not parse */
function parseExpression(expression: string): Named {
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(expression).iterate({
    enter({ type, from, to, node }) {
      const text = expression.slice(from, to);
      if (type.isError) throw new Error(`at ${from}: ${expression}`);
      if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.push(text);
      if (type.name === 'LabelName') labels.push(text);
    },
  });
  return { metrics, labels };
}

/** Our metric of a series: histograms have several. */
function metricOf(series: string): string {
  const base = series.replace(/_(bucket|sum|count)$/, '');
  return Object.hasOwn(METRICS, base) && METRICS[base as keyof typeof METRICS].kind === 'histogram' ? base : series;
}

function strange(expressions: readonly string[]): readonly string[] {
  return expressions.flatMap((expression) => {
    const { metrics, labels } = parseExpression(expression);
    if (metrics.length === 0) return [expression];
    const known = metrics.flatMap((series) => METRICS[metricOf(series) as keyof typeof METRICS]?.labels ?? []);
    return [
      ...metrics.filter((series) => !Object.hasOwn(METRICS, metricOf(series))),
      ...labels.filter((label) => ![...known, ...SDK_LABELS].includes(label)),
    ];
  });
}

test('the alert rules parse and name only metrics and labels that there are', async () => {
  const rules = await opsFile('prometheus-alerts.yaml');
  const expressions = [...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, expression = '']) => expression);
  expect(expressions).toHaveLength([...rules.matchAll(/- alert: /g)].length);
  expect(strange(expressions)).toEqual([]);
});

test('every gauge has an alert', async () => {
  const rules = await opsFile('prometheus-alerts.yaml');
  const expressions = [...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, expression = '']) => expression);
  const watched = expressions.flatMap((each) => parseExpression(each).metrics.map(metricOf));
  const gauges = Object.entries(METRICS).flatMap(([name, { kind }]) => (kind === 'gauge' ? [name] : []));
  expect(watched).toEqual(expect.arrayContaining(gauges));
});

test('the filters that the comments of the rules show parse, and leave out only by labels that there are', async () => {
  const rules = await opsFile('prometheus-alerts.yaml');
  const filters = [...rules.matchAll(/^ +#.*/gm)].flatMap(([line]) => line.match(/sensors_\w+\{[^}]*\}/g) ?? []);
  expect(filters).toHaveLength(2);
  expect(strange(filters)).toEqual([]);
});

test('the dashboard parses, names only metrics and labels that there are, and shows every metric', async () => {
  const dashboard = JSON.parse(await opsFile('grafana-dashboard.json')) as {
    readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
    readonly templating: { readonly list: readonly { readonly query: string }[] };
  };
  const variables = dashboard.templating.list.flatMap(
    ({ query }) => /^label_values\((.*), \w+\)$/.exec(query)?.[1] ?? []
  );
  const panels = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const expressions = [...panels, ...variables].map((each) => each.replaceAll('$__rate_interval', '5m'));
  expect(variables).toHaveLength(2);
  expect(strange(expressions)).toEqual([]);
  const shown = expressions.flatMap((each) => parseExpression(each).metrics.map(metricOf));
  expect(new Set(shown)).toEqual(new Set(Object.keys(METRICS)));
});

test('a metric that there is not, and an expression that is none, would be found', () => {
  expect(strange(['sum(sensors_tick_total)'])).toEqual(['sensors_tick_total']);
  expect(strange(['sum by (run_key) (sensors_ticks_total)'])).toEqual(['run_key']);
  expect(() => strange(['sum(sensors_ticks_total[5m]'])).toThrow('sum(sensors_ticks_total[5m]');
});
