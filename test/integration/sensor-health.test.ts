import { createServer } from 'node:http';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { webhookOnRunFailure } from '../../src/alerts/webhook.js';
import { defineSensor, defineSensorHealthSensor, sensorHealth, type SensorHealthEvent } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

test('a sensor that fails, recovers, stops itself, is closed, not loaded or late is told of once', async () => {
  const harness = await Harness.create();
  const events: SensorHealthEvent[] = [];
  let broken = false;
  const fragile = (name: string, stopAfterFailures?: number) =>
    defineSensor({
      name,
      interval: '200ms',
      defaultStatus: 'running',
      ...(stopAfterFailures === undefined ? {} : { stopAfterFailures }),
      evaluate: (ctx) => {
        if (broken) throw new Error('the source is away');
        return ctx.skip('nothing');
      },
    });
  const watchman = defineSensorHealthSensor({
    name: 'watchman',
    interval: '200ms',
    defaultStatus: 'running',
    monitor: sensorHealth({ sensors: `${harness.prefix}*`, lateAfter: '2s' }),
    webUrl: 'https://temporal.example.com',
    handle: (_, event) => void events.push(event),
  });
  const posted: { readonly eventId: string }[] = [];
  const receiver = createServer((request, response) => {
    void json(request).then((body) => {
      posted.push(body as { readonly eventId: string });
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  onTestFinished(() => void receiver.close());
  const alerts = webhookOnRunFailure({
    name: 'posts',
    url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
    interval: '200ms',
    defaultStatus: 'running',
    monitor: sensorHealth({ sensors: `${harness.prefix}failing`, changes: ['failing', 'recovered'] }),
  });
  const told = (): string[] =>
    events
      .map(({ sensor, change }) => `${sensor.replace(harness.prefix, '')} ${change}`)
      // it may stop itself before anybody looks
      .filter((each) => each !== 'tired failing')
      .sort();
  const isTold = async (expected: readonly string[]): Promise<void> => {
    await waitFor(() => told().join() === [...expected].sort().join(), expected.join(', ')).catch(() => undefined);
    expect(told()).toEqual([...expected].sort());
  };
  const [failing, tired] = [fragile('failing'), fragile('tired', 2)];
  const worker = await harness.work([failing, tired]);
  // on a task queue of its own, as one would
  await harness.work([watchman, alerts], { taskQueue: `${harness.taskQueue}-watch` });
  await harness.folded(watchman);
  expect((await harness.sensors.describe(harness.name(watchman))).evaluation?.lastOutcome).toBe('all sensors are well');

  broken = true;
  await isTold(['failing failing', 'tired stoppedItself']);
  expect(events.find(({ change }) => change === 'failing')?.message).toContain('Error: the source is away');
  expect(events[0]?.url).toContain('https://temporal.example.com/namespaces/default/workflows/sensor%2F');
  broken = false;
  await isTold(['failing failing', 'tired stoppedItself', 'failing recovered']);
  await harness.sensors.start(harness.name(tired));
  await isTold(['failing failing', 'tired stoppedItself', 'failing recovered', 'tired recovered']);

  const ofFailing = events.filter(({ sensor }) => sensor === harness.name(failing));
  await waitFor(() => posted.length >= 2, 'both posts');
  expect(posted.map(({ eventId }) => eventId)).toEqual(ofFailing.map(({ eventId }) => eventId));

  events.length = 0;
  await worker.stop();
  await isTold(['failing late', 'tired late']);
  await harness.loop(tired).terminate();
  await isTold(['failing late', 'tired late', 'tired closed']);
  // a worker that does not know the sensor
  await harness.work([fragile('other')]);
  await isTold(['failing late', 'tired late', 'tired closed', 'failing notLoaded']);
  expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(events.length);
});

test('what cannot be watched is refused when it is defined', () => {
  expect(() => sensorHealth({ sensors: [] })).toThrow('accepted: names of sensors, with * in them');
  expect(() => sensorHealth({ changes: ['sad' as 'late'] })).toThrow("accepted: some of 'failing', 'recovered'");
  const monitor = { jobs: [] } as never;
  expect(() => defineSensorHealthSensor({ name: 'watchman', monitor, handle: () => undefined })).toThrow(
    'accepted: what sensorHealth returned'
  );
});
