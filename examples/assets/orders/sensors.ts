/** Files of orders become the asset `sales/orders`. */
import { defineJob } from 'temporal-sensors';
import { directorySensor } from 'temporal-sensors/sources/directory';
import { z } from 'zod';
import { cities, orders } from '../assets.js';

export const loadOrders = defineJob({
  name: 'loadOrders',
  config: z.object({ path: z.string() }),
  assets: [orders],
});

/** Which city a file is of, by its name; nothing for files of other names. */
function cityOf(name: string): string | undefined {
  const city = /^orders-(\w+)\.csv$/.exec(name)?.[1] ?? '';
  return cities.has(city, new Date()) ? city : undefined;
}

export const newOrders = directorySensor({
  name: 'newOrders',
  job: loadOrders,
  path: 'inbox',
  by: 'modified',
  interval: '2s',
  defaultStatus: 'running',
  request({ name, path }) {
    const city = cityOf(name);
    return city === undefined ? null : { partitionKey: city, config: { path } };
  },
});
