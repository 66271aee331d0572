/** Partitions: a run for each day that has ended, and one for each customer that shows up. */
import { dailyPartitions, defineJob, defineSensor, dynamicPartitions } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const days = dailyPartitions({ start: '2026-01-01' });
export const reportDay = defineJob({ name: 'reportDay', partitions: days });

export const finishedDays = defineSensor({
  name: 'finishedDays',
  job: reportDay,
  interval: '10m',
  // a week back: the days of an outage are caught up with, and none runs twice
  evaluate: (ctx) =>
    days
      .keys(ctx.now)
      .slice(-7)
      .map((day) => ctx.run({ runKey: day, partitionKey: day })),
});

const customers = dynamicPartitions('customers');
export const reportCustomer = defineJob({ name: 'reportCustomer', partitions: customers });

export const newCustomers = defineSensor({
  name: 'newCustomers',
  job: reportCustomer,
  resources: { externalSystem },
  async evaluate(ctx) {
    const names = await ctx.resources.externalSystem.get('/customers', z.array(z.string()), ctx.signal);
    return {
      partitionRequests: [customers.add(names)],
      runRequests: names.map((name) => ctx.run({ runKey: name, partitionKey: name })),
    };
  },
});
