/** What OpenTelemetry sees of a sensor, with the interceptors of Temporal's own package. */
import { context, propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../src/index.js';
import { SensorsPlugin } from '../../src/worker/index.js';
import { Harness, waitFor } from '../support/harness.js';

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

test('a tick and the jobs it starts are one trace, and every tick and every run of the loop is another', async () => {
  const exporter = new InMemorySpanExporter();
  const spanProcessor = new SimpleSpanProcessor(exporter);
  const provider = new NodeTracerProvider({ spanProcessors: [spanProcessor] });
  provider.register();
  onTestFinished(() => {
    for (const api of [trace, context, propagation]) api.disable();
  });
  const openTelemetry = new OpenTelemetryPlugin({ resource: provider.resource, spanProcessor });
  const { code } = await bundleWorkflowCode({
    workflowsPath: pathOf('../support/workflows.ts'),
    workflowInterceptorModules: [pathOf('../../src/workflows/interceptors.ts')],
    plugins: [openTelemetry],
    logger: new DefaultLogger('ERROR'),
  });
  const greeting = defineJob({ name: 'greeting', config: z.object({ name: z.string() }) });
  let wanted = 1;
  const traced = defineSensor({
    name: 'traced',
    job: greeting,
    interval: '100ms',
    defaultStatus: 'running',
    evaluate: (ctx) => ctx.run({ runKey: `run-${wanted}`, config: { name: 'Ada' } }),
  });
  const h = await Harness.create();
  await h.work([traced], {
    workflowBundle: { code },
    activities: { greet: async (name: string) => `hello ${name}` },
    plugins: [openTelemetry, new SensorsPlugin({ sensors: [traced], prefix: h.prefix })],
  });
  const spans = (): ReadableSpan[] => exporter.getFinishedSpans();
  const traceOf = async (run: number): Promise<string> => {
    const id = `${h.name(traced)}:greeting:run-${run}`;
    const tick = await h.tickWhere(traced, ({ runs }) => runs.sample.includes(id), `tick ${run}`);
    await h.client.workflow.getHandle(id).result();
    const [, traceId = ''] = (tick.trace ?? '').split('-');
    return traceId;
  };
  const first = await traceOf(1);
  await h.folded(traced);
  wanted = 2;
  const second = await traceOf(2);
  const names = (traceId: string): string[] =>
    spans().flatMap((span) => (span.spanContext().traceId === traceId ? [span.name] : []));
  const whole = [
    'RunActivity:evaluateSensor',
    'RunActivity:greet',
    'RunWorkflow:greeting',
    'StartActivity:greet',
    'StartChildWorkflow:greeting',
  ];
  await waitFor(() => names(second).length === whole.length, 'the spans of the second job');
  expect([first, second].map((each) => names(each).toSorted())).toEqual([whole, whole]);
  expect(first).not.toBe(second);
  const root = spans().find((span) => span.name === whole[0] && span.spanContext().traceId === first);
  expect(root?.parentSpanId).toBeUndefined();
  // an idle sensor's attempts, which are retries of one activity
  const tracesOf = (name: string): Set<string> =>
    new Set(spans().flatMap((span) => (span.name === name ? [span.spanContext().traceId] : [])));
  const evaluations = spans().filter(({ name }) => name === 'RunActivity:evaluateSensor');
  expect(tracesOf('RunActivity:evaluateSensor').size).toBe(evaluations.length);
  expect(evaluations.length).toBeGreaterThan(2);
  // the loop has continued as new after its first tick
  const loops = spans().filter(({ name }) => name === 'ContinueAsNew:sensorLoop');
  expect(loops.map(({ parentSpanId }) => parentSpanId)).toEqual(loops.map(() => undefined));
  expect(loops.length).toBeGreaterThan(0);
});
